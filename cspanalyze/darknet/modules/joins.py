"""Layers that read several maps."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.darknet import layers
from cspanalyze.darknet.modules.activations import activation
from cspanalyze.darknet.reading_joins import sampling

_EPSILON = 1e-4
"""What Darknet adds to the sum of the weights of a shortcut."""


class Route(nn.Module):
    """Concatenation of maps, or of the same part of the channels of each."""

    def __init__(self, kind: layers.Route) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, *maps: Tensor) -> Tensor:
        """(N, C_i, H, W) each -> (N, sum of C_i / parts, H, W). A single map is no copy."""
        if self._kind.parts > 1:
            maps = tuple(x.chunk(self._kind.parts, 1)[self._kind.part] for x in maps)
        return torch.cat(maps, 1) if len(maps) > 1 else maps[0]


class Shortcut(nn.Module):
    """The first map plus the others, on common channels and positions."""

    def __init__(self, kind: layers.Shortcut, channels: int) -> None:
        super().__init__()
        self._kind = kind
        size = {"none": None, "per map": (kind.sources + 1, 1), "per channel": (kind.sources + 1, channels)}
        shape = size[kind.weights]
        self.weight = None if shape is None else nn.Parameter(torch.ones(shape))
        self.act = activation(kind.activation)

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """(N, C, H, W) and others -> (N, C, H, W)."""
        factors = self._factors()
        out = x if factors is None else x * factors[0]
        for index, other in enumerate(others, start=1):
            out = _add(out, other, None if factors is None else factors[index])
        return cast(Tensor, self.act(out))

    def _factors(self) -> Tensor | None:
        """One factor a map, or one a map and channel, as (maps, channels or 1, 1, 1)."""
        if self.weight is None:
            return None
        weight: Tensor = self.weight
        if self._kind.normalisation == "relu":
            weight = torch.relu(weight)
            weight = weight / (weight.sum(0) + _EPSILON)
        elif self._kind.normalisation == "softmax":
            weight = torch.exp(weight - weight.amax(0))
            weight = weight / (weight.sum(0) + _EPSILON)
        return weight[:, :, None, None]


def _add(x: Tensor, other: Tensor, factor: Tensor | None) -> Tensor:
    """`x` plus a map of any shape. Of a larger map every n-th position counts, a smaller one goes to every n-th."""
    factors = sampling((x.shape[2], x.shape[3]), (other.shape[2], other.shape[3]))
    if factors is None:
        raise ValueError(f"a map of {tuple(other.shape)} cannot be added to one of {tuple(x.shape)}")
    stride, spread = factors
    channels = min(x.shape[1], other.shape[1])
    other = other[:, :channels]
    if stride > 1:
        other = other[:, :, ::stride, ::stride]
    if factor is not None:
        other = other * factor[: min(channels, factor.shape[0])]
    if other.shape == x.shape:
        return x + other
    out = x.clone()
    target = out[:, :channels, ::spread, ::spread]
    height, width = min(target.shape[2], other.shape[2]), min(target.shape[3], other.shape[3])
    target[:, :, :height, :width] += other[:, :, :height, :width]
    return out


class Combination(nn.Module):
    """The map before and an earlier one, element by element, then an activation."""

    def __init__(self, kind: layers.Combination) -> None:
        super().__init__()
        self._operation = kind.operation
        self.act = activation(kind.activation)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """One of the two may be a vector, or have one channel."""
        if self._operation == "concatenate":
            return torch.cat((other.expand(-1, -1, *x.shape[2:]), x), 1)
        if self._operation == "add":
            out = x + other
        elif self._operation == "gate":
            out = x * torch.sigmoid(other)
        else:
            out = x * other
        return cast(Tensor, self.act(out))


class Implicit(nn.Module):
    """Learned constants: (N, ...) -> (N, filters, atoms, 1). The input only says how many images there are."""

    def __init__(self, kind: layers.Implicit) -> None:
        super().__init__()
        values = torch.randn(1, kind.filters, kind.atoms, 1)
        self.weight = nn.Parameter(kind.mean + kind.deviation * values)

    def forward(self, x: Tensor) -> Tensor:
        """The same constants for every image, without a copy."""
        return self.weight.expand(x.shape[0], -1, -1, -1)
