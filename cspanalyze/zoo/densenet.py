"""DenseNet-BC (configs in `tables/densenet.py`). Module names are torchvision's, so that its weights load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

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


class DenseBlock(nn.Module):
    """`depth` dense layers, each reading all maps before it: (N, C, H, W) -> (N, C + depth growth, H, W)."""

    def __init__(self, channels: int, depth: int, config: DenseNetConfig) -> None:
        super().__init__()
        for index in range(depth):
            layer = DenseLayer(channels + index * config.growth, config)
            self.add_module(f"denselayer{index + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.children():
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class Transition(nn.Module):
    """Norm-ReLU-1x1 and a 2x2 mean: (N, C, H, W) -> (N, C/2, H/2, W/2); the compression 0.5 of DenseNet-C."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)
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
            self.features.add_module(f"denseblock{number}", DenseBlock(channels, depth, config))
            channels += depth * config.growth
            if number < len(config.depths):
                self.features.add_module(f"transition{number}", Transition(channels))
                channels //= 2
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
