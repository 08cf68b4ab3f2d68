"""Layers of one map that hold no weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspanalyze.darknet import layers


class Upsample(nn.Module):
    """(N, C, H, W) -> (N, C, stride H, stride W), each position repeated, times `scale`."""

    def __init__(self, kind: layers.Upsample) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Nearest neighbour."""
        out = functional.interpolate(x, scale_factor=self._kind.stride, mode="nearest")
        return out if self._kind.scale == 1 else out * self._kind.scale


class Reorganise(nn.Module):
    """Space to depth, (N, C, H, W) -> (N, s^2 C, H / s, W / s), or the reverse."""

    def __init__(self, kind: layers.Reorganise) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Position (row, column) of a square goes to channel (row s + column) C + c."""
        count, channels, height, width = x.shape
        s = self._kind.stride
        if self._kind.reverse:
            parts = x.reshape(count, s, s, channels // s**2, height, width)
            return parts.permute(0, 3, 4, 1, 5, 2).reshape(count, channels // s**2, height * s, width * s)
        shape = (channels * s**2, height // s, width // s)
        if self._kind.scrambled:
            # As if the map were s times as high and wide and had C / s^2 channels; the same elements, in another order.
            channels, height, width = channels // s**2, height * s, width * s
        parts = x.reshape(count, channels, height // s, s, width // s, s)
        return parts.permute(0, 3, 5, 1, 2, 4).reshape(count, *shape)


class Crop(nn.Module):
    """The middle: (N, C, H, W) -> (N, C, height, width), the values 0..1 moved to -1..1 unless `plain`."""

    def __init__(self, kind: layers.Crop) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Rounds down where the margin is odd."""
        kind = self._kind
        top, left = (x.shape[2] - kind.height) // 2, (x.shape[3] - kind.width) // 2
        out = x[:, :, top : top + kind.height, left : left + kind.width]
        return out if kind.plain else out * 2 - 1


class Softmax(nn.Module):
    """Softmax over groups of the flattened map, or over the channels of each position: the same shape."""

    def __init__(self, kind: layers.Softmax) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Divides by the temperature first."""
        if self._kind.temperature != 1:
            x = x / self._kind.temperature
        if self._kind.spatial:
            return torch.softmax(x, 1)
        groups = x.reshape(x.shape[0], self._kind.groups, -1)
        return torch.softmax(groups, -1).reshape(x.shape)
