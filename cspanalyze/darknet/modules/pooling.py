"""Pooling with Darknet's padding: as many positions as asked for, the smaller half of them above and left."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspanalyze.darknet import layers
from cspanalyze.darknet.modules.convolution import Blur


class Pooling(nn.Module):
    """Maximum or mean over windows: (N, C, H, W) -> (N, C, H', W'), H' = (H + padding - size) / stride + 1."""

    def __init__(self, kind: layers.Pooling, channels: int) -> None:
        super().__init__()
        self._kind = kind
        self._stride = (1, 1) if kind.blur else kind.stride
        self.blur = Blur(channels, kind.blur, kind.stride) if kind.blur else None

    def forward(self, x: Tensor) -> Tensor:
        """Makes a padded copy only where windows reach further below and right than above and left."""
        kind = self._kind
        before = kind.padding // 2
        steps = [self._steps(length, step) for length, step in zip(x.shape[2:], self._stride, strict=True)]
        if all(even == wanted for even, wanted in steps) and 2 * before <= kind.size:
            out = self._pool(x, before)
        else:
            reach = [(wanted - 1) * step + kind.size for (_, wanted), step in zip(steps, self._stride, strict=True)]
            below, right = (max(end - before - side, 0) for end, side in zip(reach, x.shape[2:], strict=True))
            out = self._pool_padded(x, (before, right, before, below))
        return cast(Tensor, self.blur(out)) if self.blur is not None else out

    def _steps(self, length: int, step: int) -> layers.Pair:
        """Positions of the window along a side, if both ends get the smaller half of the padding, and in truth."""
        kind = self._kind
        even = (length + 2 * (kind.padding // 2) - kind.size) // step + 1
        return even, (length + kind.padding - kind.size) // step + 1

    def _pool(self, x: Tensor, padding: int) -> Tensor:
        if self._kind.reduction == "max":
            return functional.max_pool2d(x, self._kind.size, self._stride, padding)
        return functional.avg_pool2d(x, self._kind.size, self._stride, padding, count_include_pad=False)

    def _pool_padded(self, x: Tensor, pad: tuple[int, int, int, int]) -> Tensor:
        size = self._kind.size
        if self._kind.reduction == "max":
            return functional.max_pool2d(functional.pad(x, pad, value=-torch.inf), size, self._stride)
        inside = functional.pad(torch.ones_like(x[:1, :1]), pad)
        mean = functional.avg_pool2d(functional.pad(x, pad), size, self._stride)
        return mean / functional.avg_pool2d(inside, size, self._stride)


class ChannelMaximum(nn.Module):
    """Maxout over channels k, k + filters, ...: (N, C, H, W) -> (N, filters, H, W)."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self._filters = filters

    def forward(self, x: Tensor) -> Tensor:
        """A max pool whose window is one column of C / filters values: that is how Darknet counts it, too."""
        count, channels, height, width = x.shape
        rows = x.reshape(count, 1, channels // self._filters, self._filters * height * width)
        out = functional.max_pool2d(rows, (channels // self._filters, 1))
        return out.reshape(count, self._filters, height, width)
