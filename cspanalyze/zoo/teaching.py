"""Small networks that show one idea (configs in `tables/teaching.py`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cspanalyze.zoo.densenet import DenseBlock
from cspanalyze.zoo.tables.densenet import DenseNetConfig
from cspanalyze.zoo.tables.teaching import CrossStageBlockConfig
from cspanalyze.zoo.weights import initialise


class CSPDenseBlock(nn.Module):
    """Half of the channels bypasses a dense block: (N, C, H, W) -> (N, C + depth growth, H, W).

    Without the transitions of arXiv 1911.11929, section 3.2: what tutorials call a CSP block.
    """

    def __init__(self, config: CrossStageBlockConfig) -> None:
        super().__init__()
        dense = DenseNetConfig((config.depth,), config.growth)
        self.dense_block = DenseBlock(config.channels // 2, config.depth, dense)

    def forward(self, x: Tensor) -> Tensor:
        part1, part2 = x.chunk(2, dim=1)
        return torch.cat((part1, self.dense_block(part2)), 1)


def build(config: CrossStageBlockConfig) -> CSPDenseBlock:
    """The block of `config`, with He initial weights (fan in, as in DenseNet)."""
    network = CSPDenseBlock(config)
    initialise(network, fan="fan_in")
    return network
