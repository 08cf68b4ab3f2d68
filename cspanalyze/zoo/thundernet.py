"""ThunderNet on SNet (config in `tables/torch_detectors.py`)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspanalyze.zoo.tables.torch_detectors import ThunderNetConfig
from cspanalyze.zoo.weights import initialise

_SCALES = (32.0, 64.0, 128.0, 256.0, 512.0)
_RATIOS = (0.5, 0.75, 1.0, 4 / 3, 2.0)
_CELLS = 7


def _conv(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's unit with a 5x5 depthwise convolution: (N, C, H, W) -> (N, out, H/stride, W/stride).

    arXiv 1807.11164, figure 3c and d; 5x5 as in arXiv 1903.11752, section 3.1.
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        half = out // 2
        entry = channels if stride > 1 else half
        self.bypass = nn.Sequential()
        if stride > 1:
            self.bypass = nn.Sequential(
                *_conv(channels, channels, 5, stride, channels), *_conv(channels, half, 1), nn.ReLU(inplace=True)
            )
        self.branch = nn.Sequential(
            *_conv(entry, half, 1),
            nn.ReLU(inplace=True),
            *_conv(half, half, 5, stride, half),
            *_conv(half, half, 1),
            nn.ReLU(inplace=True),
        )
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1) if self.stride == 1 else (x, x)
        joined = torch.cat((self.bypass(left), self.branch(right)), 1)
        batch, channels, height, width = joined.shape
        return joined.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(joined.shape)


class ContextEnhancement(nn.Module):
    """Sum of the map, of the smaller map up-sampled and of its mean, each through a 1x1 (figure 4)."""

    def __init__(self, middle: int, coarse: int, out: int) -> None:
        super().__init__()
        self.middle = nn.Conv2d(middle, out, 1)
        self.coarse = nn.Conv2d(coarse, out, 1)
        self.everywhere = nn.Conv2d(coarse, out, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, middle: Tensor, coarse: Tensor) -> Tensor:
        upper = functional.interpolate(self.coarse(coarse), size=middle.shape[2:], mode="nearest")
        return cast(Tensor, self.middle(middle)) + upper + cast(Tensor, self.everywhere(self.pool(coarse)))


class RegionProposals(nn.Module):
    """5x5 depthwise, 1x1, and for 25 anchors at each position a score and four offsets (section 3.2)."""

    def __init__(self, channels: int, config: ThunderNetConfig) -> None:
        super().__init__()
        anchors = len(_SCALES) * len(_RATIOS)
        self.features = nn.Sequential(
            *_conv(channels, channels, 5, 1, channels), *_conv(channels, config.region, 1), nn.ReLU(inplace=True)
        )
        self.score = nn.Conv2d(config.region, anchors, 1)
        self.offsets = nn.Conv2d(config.region, 4 * anchors, 1)
        self.count = config.proposals

    def forward(self, x: Tensor, side: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The features, and the (N, proposals, 4) boxes of the highest scores as centre and size in -1 .. 1."""
        x = self.features(x)
        batch, _, height, width = x.shape
        best = self.score(x).flatten(1).topk(min(self.count, len(_SCALES) * len(_RATIOS) * height * width)).indices
        offsets = self.offsets(x).view(batch, -1, 4, height * width).transpose(2, 3).reshape(batch, -1, 4)
        chosen = offsets.gather(1, best[:, :, None].expand(-1, -1, 4))
        position = best % (height * width)
        centre = torch.stack((position % width * 2 / width - 1, position // width * 2 / height - 1), 2)
        anchor = best // (height * width)
        sizes = [
            (scale * ratio**-0.5 / side[1], scale * ratio**0.5 / side[0]) for scale in _SCALES for ratio in _RATIOS
        ]
        size = torch.tensor(sizes, device=x.device, dtype=x.dtype)[anchor] * 2
        return x, torch.cat((centre + chosen[..., :2] * size, size * chosen[..., 2:].exp()), 2)


def pool_proposals(x: Tensor, boxes: Tensor) -> Tensor:
    """Position-sensitive: cell k of a 7x7 grid reads channels 5 k to 5 k + 4; -> (N, proposals, 5 x 49)."""
    batch, channels, height, width = x.shape
    cells = torch.linspace(-0.5 + 0.5 / _CELLS, 0.5 - 0.5 / _CELLS, _CELLS, device=x.device, dtype=x.dtype)
    offsets = torch.stack((cells.repeat(_CELLS), cells.repeat_interleave(_CELLS)), 1)
    points = boxes[:, None, :, :2] + offsets[None, :, None] * boxes[:, None, :, 2:]
    maps = x.view(batch * _CELLS**2, channels // _CELLS**2, height, width)
    read = functional.grid_sample(maps, points.flatten(0, 1)[:, :, None], align_corners=False)
    return read.view(batch, channels, -1).transpose(1, 2)


class ThunderNet(nn.Module):
    """(N, 3, H, W) -> class scores (N, proposals, classes + 1) and box offsets (N, proposals, 4)."""

    def __init__(self, config: ThunderNetConfig) -> None:
        super().__init__()
        first, second, third = config.widths
        self.stem = nn.Sequential(*_conv(3, 24, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1))
        self.stage1 = _stage(24, first, 4)
        self.stage2 = _stage(first, second, 8)
        self.stage3 = _stage(second, third, 4)
        self.stage3.append(nn.Sequential(*_conv(third, config.last_width, 1), nn.ReLU(inplace=True)))
        self.context = ContextEnhancement(second, config.last_width, config.context)
        self.proposals = RegionProposals(config.context, config)
        self.attention = nn.Sequential(nn.Conv2d(config.region, config.context, 1), nn.BatchNorm2d(config.context))
        self.head = nn.Sequential(nn.Linear(config.context, 1024), nn.ReLU(inplace=True))
        self.classes = nn.Linear(1024, config.num_classes + 1)
        self.boxes = nn.Linear(1024, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        side = (x.shape[2], x.shape[3])
        middle = self.stage2(self.stage1(self.stem(x)))
        context = self.context(middle, self.stage3(middle))
        features, boxes = self.proposals(context, side)
        weighted = context * torch.sigmoid(self.attention(features))
        regions = self.head(pool_proposals(weighted, boxes))
        return self.classes(regions), self.boxes(regions)


def _stage(channels: int, out: int, depth: int) -> nn.Sequential:
    return nn.Sequential(ShuffleUnit(channels, out, 2), *(ShuffleUnit(out, out, 1) for _ in range(depth - 1)))


def build(config: ThunderNetConfig) -> ThunderNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = ThunderNet(config)
    initialise(network)
    return network
