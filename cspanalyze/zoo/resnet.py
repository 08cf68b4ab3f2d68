"""ResNet, ResNeXt and SE-ResNet (configs in `tables/resnet.py`).

Module names are torchvision's, and timm's inside the squeeze-and-excitation, so that their weights load.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.zoo.tables.resnet import ResNetConfig
from cspanalyze.zoo.weights import initialise


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the means of all channels: (N, C, H, W) -> the same.

    arXiv 1709.01507, equations 2 to 4; the two layers are 1x1 convolutions, with biases.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(self.fc2(self.relu(self.fc1(self.squeeze(x)))))
        return x * gate


class BasicBlock(nn.Module):
    """Two 3x3 and a shortcut: (N, C, H, W) -> (N, base, H/stride, W/stride) (arXiv 1512.03385, figure 5 left)."""

    expansion = 1

    def __init__(self, channels: int, base: int, stride: int, config: ResNetConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, base, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(base, base, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(base)
        self.downsample = _projection(channels, base, stride)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return cast(Tensor, self.relu(y + shortcut))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut: (N, C, H, W) -> (N, 4 base, H/stride, W/stride).

    arXiv 1512.03385, figure 5 right; with groups, arXiv 1611.05431, figure 3c. The stride is on the
    3x3, not on the first 1x1 as in the former paper.
    """

    expansion = 4

    def __init__(self, channels: int, base: int, stride: int, config: ResNetConfig) -> None:
        super().__init__()
        width = config.groups * (config.group_width * base // 64)
        out = base * self.expansion
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, groups=config.groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.se = SqueezeExcite(out, config.se_reduction) if config.se_reduction else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.se is not None:
            y = self.se(y)
        shortcut = x if self.downsample is None else self.downsample(x)
        return cast(Tensor, self.relu(y + shortcut))


def _projection(channels: int, out: int, stride: int) -> nn.Sequential | None:
    """The 1x1 of a shortcut whose two ends differ in shape ("option B" of the paper); None where they agree."""
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ResNet(nn.Module):
    """Stem, four stages, mean over the map, classifier: (N, 3, H, W) -> (N, num_classes); the map shrinks by 32."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        expansion = BasicBlock.expansion if config.block == "basic" else Bottleneck.expansion
        depth1, depth2, depth3, depth4 = config.depths
        self.layer1 = _stage(64, 64, depth1, 1, config)
        self.layer2 = _stage(64 * expansion, 128, depth2, 2, config)
        self.layer3 = _stage(128 * expansion, 256, depth3, 2, config)
        self.layer4 = _stage(256 * expansion, 512, depth4, 2, config)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * expansion, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return cast(Tensor, self.fc(torch.flatten(self.avgpool(x), 1)))


def _stage(channels: int, base: int, depth: int, stride: int, config: ResNetConfig) -> nn.Sequential:
    """`depth` blocks, of which the first changes width and size."""
    block = BasicBlock if config.block == "basic" else Bottleneck
    first = block(channels, base, stride, config)
    rest = (block(base * block.expansion, base, 1, config) for _ in range(depth - 1))
    return nn.Sequential(first, *rest)


def build(config: ResNetConfig) -> ResNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = ResNet(config)
    initialise(network)
    return network
