"""CSPResNet-50, CSPResNeXt-50, CSPDarknet-53 (configs in `tables/cspnet.py`).

Module names are timm's, so that its weights load. These are the references that the CSP transform
is checked against.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.zoo.darknet import ClassifierHead, ConvNormAct, DarkBlock
from cspanalyze.zoo.tables.cspnet import CrossStageConfig, CSPNetConfig
from cspanalyze.zoo.weights import initialise


class LeakyBottleneck(nn.Module):
    """1x1 to `inner`, 3x3 in `groups`, linear 1x1 back, shortcut, leaky ReLU: (N, C, H, W) -> the same."""

    def __init__(self, channels: int, inner: int, groups: int, slope: float) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, inner, 1, slope)
        self.conv2 = ConvNormAct(inner, inner, 3, slope, groups=groups)
        self.conv3 = ConvNormAct(inner, channels, 1, slope=None)
        self.act3 = nn.LeakyReLU(slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv3(self.conv2(self.conv1(x)))
        return cast(Tensor, self.act3(x + y))


class CrossStage(nn.Module):
    """Split, blocks on one part, transition, join, transition: (N, C, H, W) -> (N, out, H, W), halved with `down`.

    arXiv 1911.11929, section 3: x_T = T1(blocks(x'')), y = T2([x', x_T]). `conv_exp` makes x' and
    x'' in one 1x1, `conv_transition_b` is T1, `conv_transition` is T2. As in timm the bypassing part x'
    comes first in both the split and the join; the authors' cfgs join it second.
    """

    def __init__(self, channels: int, stage: CrossStageConfig, config: CSPNetConfig) -> None:
        super().__init__()
        slope, groups = config.negative_slope, config.groups
        part = stage.part
        self.conv_down: nn.Module = nn.Identity()
        if stage.down is not None:
            self.conv_down = ConvNormAct(channels, stage.down, 3, slope, stride=2, groups=groups)
            channels = stage.down
        self.conv_exp = ConvNormAct(channels, 2 * part, 1, slope if config.split_activation else None)
        self.blocks = nn.Sequential()
        for _ in range(stage.depth):
            if config.block == "dark":
                self.blocks.append(DarkBlock(part, stage.inner, slope))
            else:
                self.blocks.append(LeakyBottleneck(part, stage.inner, groups, slope))
        self.conv_transition_b = ConvNormAct(part, part, 1, slope)
        self.conv_transition = ConvNormAct(2 * part, stage.out, 1, slope)

    def forward(self, x: Tensor) -> Tensor:
        bypass, processed = self.conv_exp(self.conv_down(x)).chunk(2, dim=1)
        processed = self.conv_transition_b(self.blocks(processed))
        return cast(Tensor, self.conv_transition(torch.cat((bypass, processed), 1)))


class CSPNet(nn.Module):
    """Stem, cross stages, head: (N, 3, H, W) -> (N, num_classes); the map shrinks by 32."""

    def __init__(self, config: CSPNetConfig) -> None:
        super().__init__()
        self.stem = nn.Sequential()
        if config.stem == "resnet":
            channels = 64
            self.stem.add_module("conv1", ConvNormAct(3, channels, 7, config.negative_slope, stride=2))
            self.stem.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
        else:
            channels = 32
            self.stem.add_module("conv1", ConvNormAct(3, channels, 3, config.negative_slope))
        self.stages = nn.Sequential()
        for stage in config.stages:
            self.stages.append(CrossStage(channels, stage, config))
            channels = stage.out
        self.head = ClassifierHead(channels, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.stages(self.stem(x))))


def build(config: CSPNetConfig) -> CSPNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = CSPNet(config)
    initialise(network)
    return network
