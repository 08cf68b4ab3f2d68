"""VoVNet and CSPVoVNet (configs in `tables/vovnet.py`). Module names of VoVNet are timm's, so that its weights load."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.zoo.darknet import ClassifierHead
from cspanalyze.zoo.tables.vovnet import VoVNetConfig
from cspanalyze.zoo.weights import initialise


class ConvNormRelu(nn.Module):
    """Convolution without bias, batch norm, ReLU: (N, C, H, W) -> (N, out, H/stride, W/stride)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.act(self.bn(self.conv(x))))


class OneShotAggregation(nn.Module):
    """`depth` 3x3 in series; the input and all their outputs are concatenated once, and a 1x1 compresses them.

    (N, C, H, W) -> (N, out, H, W); arXiv 1904.09730, section 3.2.
    """

    def __init__(self, channels: int, width: int, out: int, depth: int) -> None:
        super().__init__()
        inputs = [channels, *[width] * (depth - 1)]
        self.conv_mid = nn.ModuleList(ConvNormRelu(each, width, 3) for each in inputs)
        self.conv_concat = ConvNormRelu(channels + depth * width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for conv in self.conv_mid:
            maps.append(conv(maps[-1]))
        return cast(Tensor, self.conv_concat(torch.cat(maps, 1)))


class PartialAggregation(nn.Module):
    """A share of the channels bypasses a one-shot aggregation: (N, C, H, W) -> (N, out, H, W).

    arXiv 1911.11929, section 3.2, with fusion "csp"; the 1x1 of the aggregation is transition 1.
    """

    def __init__(self, channels: int, width: int, out: int, depth: int, gamma: float) -> None:
        super().__init__()
        self.bypass = round(channels * gamma)
        kept = out - round(out * gamma)
        self.part2 = OneShotAggregation(channels - self.bypass, width, kept, depth)
        self.transition2 = ConvNormRelu(self.bypass + kept, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        part1, part2 = x[:, : self.bypass], x[:, self.bypass :]
        return cast(Tensor, self.transition2(torch.cat((part1, self.part2(part2)), 1)))


class Stage(nn.Module):
    """A 3x3/2 max pool, but in the first stage, and aggregations: (N, C, H, W) -> (N, out, H/2, W/2)."""

    def __init__(self, channels: int, index: int, config: VoVNetConfig) -> None:
        super().__init__()
        self.pool: nn.Module = nn.MaxPool2d(3, 2, ceil_mode=True) if index else nn.Identity()
        self.blocks = nn.Sequential()
        width, out = config.widths[index], config.outputs[index]
        for _ in range(config.blocks[index]):
            if config.gamma:
                self.blocks.append(PartialAggregation(channels, width, out, config.depth, config.gamma))
            else:
                self.blocks.append(OneShotAggregation(channels, width, out, config.depth))
            channels = out

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.blocks(self.pool(x)))


class VoVNet(nn.Module):
    """Three 3x3, stages, head: (N, 3, H, W) -> (N, num_classes); the map shrinks by 32."""

    def __init__(self, config: VoVNetConfig) -> None:
        super().__init__()
        first, second, third = config.stem
        self.stem = nn.Sequential(
            ConvNormRelu(3, first, 3, 2), ConvNormRelu(first, second, 3), ConvNormRelu(second, third, 3, 2)
        )
        self.stages = nn.Sequential()
        for index in range(len(config.blocks)):
            self.stages.append(Stage(config.outputs[index - 1] if index else third, index, config))
        self.head = ClassifierHead(config.outputs[-1], config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.stages(self.stem(x))))


def build(config: VoVNetConfig) -> VoVNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = VoVNet(config)
    initialise(network)
    return network
