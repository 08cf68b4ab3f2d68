"""Small networks whose gradient terms can be counted by hand: a stem that makes `c` channels, then one block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

MAP = 4
"""Height and width of the maps."""


def conv(i: int, o: int, kernel: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, kernel, padding=kernel // 2)


def chained(*widths: int) -> nn.Sequential:
    return nn.Sequential(*(conv(i, o) for i, o in pairwise(widths)))


class Stemmed(nn.Module):
    """The stem, named so that a test can leave it out of the scope; subclasses are the block."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.stem = conv(3, c)

    def block(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.stem(x))


class Dense(Stemmed):
    """m dense layers on `c - bypass` channels, with bottlenecks and transitions as asked for."""

    def __init__(self, c: int, m: int, d: int, *, t: int = 0, u: int = 0, bypass: int = 0, bottleneck: int = 0) -> None:
        super().__init__(c)
        self.bypass = bypass
        base = c - bypass
        self.layers = nn.ModuleList()
        for width in range(base, base + m * d, d):
            self.layers.append(chained(width, bottleneck, d) if bottleneck else conv(width, d, 3))
        width = base + m * d
        self.t = conv(width, t) if t else nn.Identity()
        self.u = conv(bypass + (t or width), u) if u else nn.Identity()

    def block(self, x: Tensor) -> Tensor:
        past, x = x[:, : self.bypass], x[:, self.bypass :]
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.u(torch.cat([past, self.t(x)], 1))


class Residual(Stemmed):
    """n blocks of q layers under a head; only the first `shortcut` channels are added (all by default)."""

    def __init__(self, c: int, n: int, q: int, shortcut: int | None = None) -> None:
        super().__init__(c)
        self.shortcut = c if shortcut is None else shortcut
        self.blocks = nn.ModuleList(chained(*[c] * (q + 1)) for _ in range(n))
        self.head = conv(c, 5)

    def block(self, x: Tensor) -> Tensor:
        s = self.shortcut
        for branch in self.blocks:
            y = branch(x)
            x = self.joined(x, y) if s < x.shape[1] else x + y
        return self.head(x)

    def joined(self, x: Tensor, y: Tensor) -> Tensor:
        s = self.shortcut
        return torch.cat([y[:, :s] + x[:, :s], y[:, s:]], 1) if s else y


class OneShot(Stemmed):
    def __init__(self, c: int, m: int, d: int) -> None:
        super().__init__(c)
        self.layers = nn.ModuleList(conv(c if n == 0 else d, d, 3) for n in range(m))
        self.last = conv(c + m * d, c)

    def block(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return self.last(torch.cat(maps, 1))


class Elan(Stemmed):
    def __init__(self, c: int, h: int, depth: int = 2, branches: int = 2) -> None:
        super().__init__(c)
        self.one, self.two = conv(c, h), conv(c, h)
        self.branches = nn.ModuleList(chained(*[h] * (depth + 1)) for _ in range(branches))
        self.last = conv((2 + branches) * h, c)

    def block(self, x: Tensor) -> Tensor:
        maps = [self.one(x), self.two(x)]
        for branch in self.branches:
            maps.append(branch(maps[-1]))
        return self.last(torch.cat(maps, 1))


class PrnFigure(Stemmed):
    """Five layers, the stem the first, with shortcuts over layers 2 and 3 and over layers 4 and 5."""

    def __init__(self, c: int) -> None:
        super().__init__(c)
        self.rest = nn.ModuleList(conv(c, c) for _ in range(4))

    def block(self, x: Tensor) -> Tensor:
        two, three, four, five = self.rest
        x = x + three(two(x))
        return x + five(four(x))


class SqueezeExcitation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.r, self.e, self.o = conv(3, 8), conv(8, 2), conv(2, 8), conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.o(x * torch.sigmoid(self.e(torch.tanh(self.r(x.mean((2, 3), keepdim=True))))))


class SpatialAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.s, self.o = conv(3, 8), conv(2, 1, 3), conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return self.o(x * torch.sigmoid(self.s(pooled)))


class Chunked(nn.Module):
    """One half goes through a layer; beside the result the other half is kept, or both are."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.kept = kept
        self.a, self.b, self.o = conv(3, 8), conv(4, 4), conv(12 if kept else 8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        first, second = x.chunk(2, 1)
        return self.o(torch.cat([x if self.kept else first, self.b(second)], 1))


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.o = conv(3, 8), conv(8, 8), conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.o(self.b(self.b(self.a(x))))


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 8), conv(8, 8), conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.c(self.b(x.detach()) + x)


def image(size: int = MAP) -> Tensor:
    return torch.rand(1, 3, size, size)


def outside_stem(names: Sequence[str]) -> list[int]:
    """The scope that the tables use: every layer but the stem."""
    return [index for index, name in enumerate(names) if name != "stem"]
