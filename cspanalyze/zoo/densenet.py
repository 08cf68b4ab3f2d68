"""DenseNet-BC, its Elastic and its partial form (configs in `tables/densenet.py`).

Module names are torchvision's, so that its weights load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspanalyze.zoo.tables.densenet import DenseNetConfig
from cspanalyze.zoo.weights import initialise


class DenseLayer(nn.Module):
    """Norm-ReLU-1x1, norm-ReLU-3x3 on the concatenation of all earlier maps -> (N, growth, H, W).

    arXiv 1608.06993, section 3: H_l([x_0, .., x_{l-1}]) with the bottleneck of DenseNet-B.
    """

    def __init__(self, channels: int, config: DenseNetConfig) -> None:
        super().__init__()
        width = config.bottleneck * config.growth
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, config.growth, 3, padding=1, bias=False)

    def forward(self, earlier: Sequence[Tensor]) -> Tensor:
        # Each layer concatenates anew, as torchvision does: the graph then shows every dense connection,
        # and reads and writes compare with torchvision's op for op.
        y: Tensor = self.conv1(self.relu1(self.norm1(torch.cat(list(earlier), 1))))
        return cast(Tensor, self.conv2(self.relu2(self.norm2(y))))


class ElasticLayer(nn.Module):
    """Norm-ReLU, then two halves of a dense layer, one on a map of half the size, and their sum -> (N, growth, H, W).

    arXiv 1812.05262, as its authors' code: both halves read all channels, each has half of the bottleneck, the small
    one is up-sampled bilinearly. Where the map has odd sides (7x7, before the head) neither is made smaller.
    """

    def __init__(self, channels: int, config: DenseNetConfig) -> None:
        super().__init__()
        width = config.bottleneck * config.growth // 2
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.large = _half_layer(channels, width, config.growth)
        self.pool = nn.AvgPool2d(2, stride=2)
        self.small = _half_layer(channels, width, config.growth)

    def forward(self, earlier: Sequence[Tensor]) -> Tensor:
        x: Tensor = self.relu1(self.norm1(torch.cat(list(earlier), 1)))
        size = x.shape[2:]
        halved = all(side % 2 == 0 for side in size)
        small: Tensor = self.small(self.pool(x) if halved else x)
        if halved:
            small = functional.interpolate(small, size=size, mode="bilinear", align_corners=False)
        return cast(Tensor, self.large(x)) + small


def _half_layer(channels: int, width: int, growth: int) -> nn.Sequential:
    """1x1, norm-ReLU-3x3."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, growth, 3, padding=1, bias=False),
    )


class DenseBlock(nn.Module):
    """`depth` dense layers, each reading all maps before it: (N, C, H, W) -> (N, C + depth growth, H, W)."""

    def __init__(self, channels: int, depth: int, config: DenseNetConfig) -> None:
        super().__init__()
        for index in range(depth):
            kind = ElasticLayer if config.elastic else DenseLayer
            layer = kind(channels + index * config.growth, config)
            self.add_module(f"denselayer{index + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.children():
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class PartialDenseBlock(nn.Module):
    """A share of the channels bypasses a dense block: (N, C, H, W) -> (N, out_channels, H, W).

    arXiv 1911.11929, section 3.2. Transition 1 (norm-ReLU-1x1) halves what the block makes, as DenseNet's own
    transitions do, but for the last block, which has none behind it; the network's transition that follows the
    concatenation is transition 2. The preset `densenet` of `cspanalyze.csp` makes the same of a DenseNet.
    """

    def __init__(self, channels: int, depth: int, config: DenseNetConfig, *, last: bool) -> None:
        super().__init__()
        self.bypass = round(channels * config.gamma)
        inner = channels - self.bypass
        made = inner + depth * config.growth
        kept = made if last else made // 2
        self.part2 = DenseBlock(inner, depth, config)
        self.norm = nn.BatchNorm2d(made)
        self.relu = nn.ReLU(inplace=True)
        self.transition1 = nn.Conv2d(made, kept, 1, bias=False)
        self.out_channels = self.bypass + kept

    def forward(self, x: Tensor) -> Tensor:
        part1, part2 = x[:, : self.bypass], x[:, self.bypass :]
        return torch.cat((part1, self.transition1(self.relu(self.norm(self.part2(part2))))), 1)


class Transition(nn.Module):
    """Norm-ReLU-1x1 and a 2x2 mean: (N, C, H, W) -> (N, out, H/2, W/2)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, out, 1, bias=False)
        self.pool = nn.AvgPool2d(2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.pool(self.conv(self.relu(self.norm(x)))))


class DenseNet(nn.Module):
    """Stem, dense blocks with transitions between, mean, classifier: (N, 3, H, W) -> (N, num_classes).

    torchvision calls the last ReLU and pooling as functions; here they are the modules `relu` and
    `avgpool`, so that they have a path.
    """

    def __init__(self, config: DenseNetConfig) -> None:
        super().__init__()
        channels = config.stem_width
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(channels))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, stride=2, padding=1))
        for number, depth in enumerate(config.depths, start=1):
            last = number == len(config.depths)
            made = channels + depth * config.growth
            out = made if last else made // 2  # the compression 0.5 of DenseNet-C
            block: DenseBlock | PartialDenseBlock = DenseBlock(channels, depth, config)
            if config.gamma:
                block = PartialDenseBlock(channels, depth, config, last=last)
                made = block.out_channels
            self.features.add_module(f"denseblock{number}", block)
            if not last:
                self.features.add_module(f"transition{number}", Transition(made, out))
            channels = out
        self.features.add_module(f"norm{len(config.depths) + 1}", nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.relu(self.features(x)))
        return cast(Tensor, self.classifier(torch.flatten(x, 1)))


def build(config: DenseNetConfig) -> DenseNet:
    """The network of `config`, with He initial weights (fan in, as the authors' code)."""
    network = DenseNet(config)
    initialise(network, fan="fan_in")
    return network
