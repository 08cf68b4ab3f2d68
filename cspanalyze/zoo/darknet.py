"""Darknet-53 (config in `tables/darknet.py`). Module names are timm's, so that its weights load."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cspanalyze.zoo.tables.darknet import DarknetConfig
from cspanalyze.zoo.weights import initialise


class ConvNormAct(nn.Module):
    """Convolution without bias, batch norm, leaky ReLU; (N, C, H, W) -> (N, out, H/stride, W/stride).

    `slope` None leaves the activation out (an Identity stands in its place).
    """

    def __init__(
        self, channels: int, out: int, kernel: int, slope: float | None, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.act = nn.Identity() if slope is None else nn.LeakyReLU(slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.act(self.bn(self.conv(x))))


class DarkBlock(nn.Module):
    """1x1 to `inner`, 3x3 back, and a shortcut added after the activation: (N, C, H, W) -> the same."""

    def __init__(self, channels: int, inner: int, slope: float) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, inner, 1, slope)
        self.conv2 = ConvNormAct(inner, channels, 3, slope)

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.conv2(self.conv1(x)))


class DarkStage(nn.Module):
    """A 3x3/2 and `depth` dark blocks half as wide inside: (N, C, H, W) -> (N, out, H/2, W/2)."""

    def __init__(self, channels: int, out: int, depth: int, slope: float) -> None:
        super().__init__()
        self.conv_down = ConvNormAct(channels, out, 3, slope, stride=2)
        self.blocks = nn.Sequential(*(DarkBlock(out, out // 2, slope) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.blocks(self.conv_down(x)))


class ClassifierHead(nn.Module):
    """Mean over the map and a linear layer: (N, C, H, W) -> (N, num_classes)."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.fc(self.flatten(self.global_pool(x))))


class Darknet(nn.Module):
    """Stem, stages, head: (N, 3, H, W) -> (N, num_classes); each stage halves the map (arXiv 1804.02767, table 1)."""

    def __init__(self, config: DarknetConfig) -> None:
        super().__init__()
        slope = config.negative_slope
        self.stem = nn.Sequential()
        self.stem.add_module("conv1", ConvNormAct(3, config.stem_width, 3, slope))
        self.stages = nn.Sequential()
        channels = config.stem_width
        for depth, width in zip(config.depths, config.widths, strict=True):
            self.stages.append(DarkStage(channels, width, depth, slope))
            channels = width
        self.head = ClassifierHead(channels, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.stages(self.stem(x))))


def build(config: DarknetConfig) -> Darknet:
    """The network of `config`, with He initial weights (fan out)."""
    network = Darknet(config)
    initialise(network)
    return network
