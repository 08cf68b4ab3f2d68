"""HarDNet (configs in `tables/hardnet.py`)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.zoo.tables.hardnet import HarDNetConfig
from cspanalyze.zoo.weights import initialise


def links(layer: int) -> list[int]:
    """The layers that layer `layer` (from 1) reads, 0 being the block's input: arXiv 1909.00948, section 3.1."""
    return [layer - 2**i for i in range(layer.bit_length()) if layer % 2**i == 0]


def width(layer: int, growth: int, multiplier: float) -> int:
    """Output channels of a layer: k m^n, where it reads n + 1 others, rounded to an even number as the authors do."""
    return int(int(growth * multiplier ** (len(links(layer)) - 1) + 1) / 2) * 2


class ConvNormRelu(nn.Sequential):
    """Convolution without bias, batch norm, ReLU6: (N, C, H, W) -> (N, out, H/stride, W/stride)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.relu = nn.ReLU6(inplace=True)


class HarmonicBlock(nn.Module):
    """3x3 layers with harmonic links; its output are the odd layers and the last: (N, C, H, W) -> (N, out, H, W)."""

    def __init__(self, channels: int, growth: int, depth: int, multiplier: float) -> None:
        super().__init__()
        widths = [channels, *(width(layer, growth, multiplier) for layer in range(1, depth + 1))]
        self.links = [links(layer) for layer in range(1, depth + 1)]
        self.layers = nn.ModuleList(
            ConvNormRelu(sum(widths[source] for source in sources), widths[layer], 3)
            for layer, sources in enumerate(self.links, start=1)
        )
        self.kept = [layer for layer in range(1, depth + 1) if layer % 2 or layer == depth]
        self.out_channels = sum(widths[layer] for layer in self.kept)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer, sources in zip(self.layers, self.links, strict=True):
            read = [maps[source] for source in sources]
            maps.append(layer(torch.cat(read, 1) if len(read) > 1 else read[0]))
        return torch.cat([maps[layer] for layer in self.kept], 1)


class HarDNet(nn.Module):
    """Stem, harmonic blocks, each with a 1x1 behind it, head: (N, 3, H, W) -> (N, num_classes)."""

    def __init__(self, config: HarDNetConfig) -> None:
        super().__init__()
        first, channels = config.stem
        self.stem = nn.Sequential(
            ConvNormRelu(3, first, 3, 2), ConvNormRelu(first, channels, 3), nn.MaxPool2d(3, 2, padding=1)
        )
        self.stages = nn.Sequential()
        sizes = zip(config.growths, config.depths, config.outputs, strict=True)
        for number, (growth, depth, out) in enumerate(sizes, start=1):
            block = HarmonicBlock(channels, growth, depth, config.multiplier)
            stage = nn.Sequential()
            stage.add_module("block", block)
            stage.add_module("transition", ConvNormRelu(block.out_channels, out, 1))
            if number in config.pools:
                stage.add_module("pool", nn.MaxPool2d(2))
            self.stages.append(stage)
            channels = out
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(config.dropout), nn.Linear(channels, config.num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.stages(self.stem(x))))


def build(config: HarDNetConfig) -> HarDNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = HarDNet(config)
    initialise(network)
    return network
