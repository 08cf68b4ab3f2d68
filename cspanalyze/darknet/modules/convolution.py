"""Convolutions and fully connected layers with their norms, activations and blurs."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspanalyze.darknet import layers
from cspanalyze.darknet.modules.activations import activation

_KERNELS = {2: (1.0, 1.0), 3: (1.0, 2.0, 1.0)}
"""One side of the blur: its product with itself, divided by its sum, is the kernel."""


class Blur(nn.Module):
    """Each channel through a fixed 2x2 mean or 3x3 binomial kernel (Zhang 2019, arXiv 1904.11486)."""

    kernel: Tensor

    def __init__(self, channels: int, side: int, stride: layers.Pair) -> None:
        super().__init__()
        row = torch.tensor(_KERNELS[side])
        kernel = torch.outer(row, row) / row.sum() ** 2
        self.register_buffer("kernel", kernel.repeat(channels, 1, 1, 1))
        self._stride = stride
        self._padding = 1 if side == 3 else 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, about H / stride, W / stride)."""
        return functional.conv2d(x, self.kernel, None, self._stride, self._padding, 1, x.shape[1])


def convolution(kind: layers.Convolution, channels: int) -> nn.Sequential:
    """`conv`, then `bn`, `act` and `blur` where the layer has them."""
    stride = (1, 1) if kind.blur else kind.stride
    conv = nn.Conv2d(
        channels,
        kind.filters,
        kind.size,
        stride,
        padding=kind.padding * kind.dilation,
        dilation=kind.dilation,
        groups=kind.groups,
        bias=not kind.normalised,
    )
    parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if kind.normalised:
        parts["bn"] = nn.BatchNorm2d(kind.filters)
    if kind.activation != "linear":
        parts["act"] = activation(kind.activation)
    if kind.blur:
        parts["blur"] = Blur(kind.filters, kind.blur, kind.stride)
    return nn.Sequential(parts)


def share_weights(module: nn.Module, other: nn.Module) -> None:
    """Make the convolution of `module` use the weights, bias and norm of that of `other`; strides stay its own."""
    for name in ("conv", "bn"):
        own, source = getattr(module, name, None), getattr(other, name, None)
        if own is not None and source is not None:
            for key in own._parameters:
                setattr(own, key, getattr(source, key))
            for key in own._buffers:
                setattr(own, key, getattr(source, key))


class Connected(nn.Module):
    """A fully connected layer on the flattened map: (N, C, H, W) -> (N, outputs, 1, 1)."""

    def __init__(self, kind: layers.Connected, inputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, kind.outputs, bias=not kind.normalised)
        self.bn = nn.BatchNorm1d(kind.outputs) if kind.normalised else nn.Identity()
        self.act = activation(kind.activation)

    def forward(self, x: Tensor) -> Tensor:
        """The vector as a map of one position."""
        return cast(Tensor, self.act(self.bn(self.linear(x.flatten(1)))))[:, :, None, None]


class Local(nn.Module):
    """A convolution with weights of its own at each position: (N, C, H, W) -> (N, filters, H', W')."""

    def __init__(self, kind: layers.Local, channels: int, size: layers.Pair) -> None:
        super().__init__()
        self._kind, self._size = kind, size
        fan = channels * kind.size**2
        self.weight = nn.Parameter(torch.randn(size[0] * size[1], kind.filters, fan) * (2 / fan) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(kind.filters, *size))
        self.act = activation(kind.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Gathers the windows and multiplies each by its own matrix."""
        kind = self._kind
        windows = functional.unfold(x, kind.size, padding=kind.padding, stride=kind.stride)
        out = torch.matmul(self.weight, windows.permute(2, 1, 0))  # (positions, filters, N)
        out = out.permute(2, 1, 0).reshape(x.shape[0], kind.filters, *self._size)
        return cast(Tensor, self.act(out + self.bias))
