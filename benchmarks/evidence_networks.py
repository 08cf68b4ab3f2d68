"""Small networks of every kind of shortcut, two stages each on 8x8 and 4x4 maps, for `gradient_evidence.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cspanalyze import to_csp, zoo

INPUT = (3, 32, 32)
CLASSES = 10
Fusion = Literal["csp", "first", "last"]


def dense() -> nn.Module:
    """DenseNet-BC: 6 layers of growth 12 in each of two blocks, 24 channels enter the first."""
    return zoo.create("densenet121", depths=(6, 6), growth=12, stem_width=24, num_classes=CLASSES)


def partial_dense(fusion: Fusion, seed: int, *, control: bool = False) -> nn.Module:
    return to_csp(dense(), gamma=0.5, fusion=fusion, control=control, seed=seed).model


class Unit(nn.Sequential):
    """Convolution, norm, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1, *, active: bool = True) -> None:
        convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(out), nn.ReLU() if active else nn.Identity())


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut that carries the first `shared` channels: all of them in a residual
    network, half of them in a partial one (PRN, ICCV workshops 2019), none in a plain one."""

    def __init__(self, channels: int, shared: int) -> None:
        super().__init__()
        self.one, self.two = Unit(channels, channels), Unit(channels, channels, active=False)
        self.shared = shared

    def forward(self, x: Tensor) -> Tensor:
        y = self.two(self.one(x))
        s = self.shared
        if s == x.shape[1]:
            y = y + x
        elif s:
            y = torch.cat([y[:, :s] + x[:, :s], y[:, s:]], 1)
        return torch.relu(y)


class OneShot(nn.Module):
    """Five 3x3 convolutions in series, all of them and the input read once more by a 1x1 (VoVNet, 1904.09730)."""

    def __init__(self, channels: int, growth: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Unit(channels if n == 0 else growth, growth) for n in range(5))
        self.last = Unit(channels + 5 * growth, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        joined: Tensor = self.last(torch.cat(maps, 1))
        return joined


def staged(stage: Callable[[int], nn.Module], width: int, out: int) -> nn.Module:
    """A stem that quarters the map, a stage, a strided convolution to twice the width, a stage, the classifier."""
    return nn.Sequential(
        Unit(3, width, 7, 2),
        nn.MaxPool2d(3, 2, 1),
        stage(width),
        Unit(out, 2 * width, 3, 2),
        stage(2 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * out, CLASSES),
    )


def residual(share: float, depth: int = 6) -> nn.Module:
    """`depth` blocks a stage."""

    def stage(width: int) -> nn.Module:
        return nn.Sequential(*(Block(width, round(share * width)) for _ in range(depth)))

    return staged(stage, 24, 24)


def one_shot() -> nn.Module:
    return staged(lambda width: OneShot(width, width // 2, width), 24, 24)


NETWORKS: Mapping[str, Callable[[int], nn.Module]] = {
    "dense": lambda seed: dense(),
    "CSP": lambda seed: partial_dense("csp", seed),
    "control": lambda seed: partial_dense("csp", seed, control=True),
    "CSP first": lambda seed: partial_dense("first", seed),
    "CSP last": lambda seed: partial_dense("last", seed),
    "residual": lambda seed: residual(1.0),
    "PRN": lambda seed: residual(0.5),
    "plain": lambda seed: residual(0.0),
    "VoVNet": lambda seed: one_shot(),
}
"""Seed -> network; the twins of `dense` draw their new weights with the seed."""


def build(name: str, seed: int) -> Any:
    """The network with weights of this seed; every network of one seed begins with the same random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name](seed)
