"""CenterNet on ResNet-18 (config in `tables/torch_detectors.py`)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cspanalyze.zoo import resnet
from cspanalyze.zoo.tables.resnet import ResNetConfig
from cspanalyze.zoo.tables.torch_detectors import CenterNetConfig
from cspanalyze.zoo.weights import initialise


class CenterNet(nn.Module):
    """(N, 3, H, W) -> heat map (N, classes, H/4, W/4), size (N, 2, H/4, W/4), offset (N, 2, H/4, W/4).

    arXiv 1904.07850, figure 6a: a ResNet without its classifier, then each map twice as large by a 4x4/2 transposed
    convolution.
    """

    def __init__(self, config: CenterNetConfig) -> None:
        super().__init__()
        backbone = resnet.ResNet(ResNetConfig("basic", (2, 2, 2, 2)))
        self.stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.relu, backbone.maxpool)
        self.stage1, self.stage2 = backbone.layer1, backbone.layer2
        self.stage3, self.stage4 = backbone.layer3, backbone.layer4
        self.neck = nn.Sequential()
        channels = 512
        for _ in range(3):
            self.neck.append(nn.ConvTranspose2d(channels, config.width, 4, stride=2, padding=1, bias=False))
            self.neck.append(nn.BatchNorm2d(config.width))
            self.neck.append(nn.ReLU(inplace=True))
            channels = config.width
        outputs = {"heatmap": config.num_classes, "size": 2, "offset": 2}
        self.head = nn.ModuleDict({name: _head(channels, config.head_width, out) for name, out in outputs.items()})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.stage4(self.stage3(self.stage2(self.stage1(self.stem(x)))))
        x = self.neck(x)
        return tuple(cast(Tensor, head(x)) for head in self.head.values())


def _head(channels: int, width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(width, out, 1))


def build(config: CenterNetConfig) -> CenterNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = CenterNet(config)
    initialise(network)
    return network
