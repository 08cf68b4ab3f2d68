"""Every move is exact: random chains of them, element by element, against autograd."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cspanalyze import trace
from cspanalyze.gradient_flow import gradient_flow

Move = Callable[[Tensor], Tensor]


def _shuffle_if_it_fits(y: Tensor) -> Tensor:
    return F.pixel_shuffle(y, 2) if y.shape[1] % 4 == 0 else y


def _unshuffle_if_it_fits(y: Tensor) -> Tensor:
    return F.pixel_unshuffle(y, 2) if y.shape[2] % 2 == y.shape[3] % 2 == 0 else y


def _written_through_a_view(y: Tensor, dim: int, step: int) -> Tensor:
    y = y.clone()
    part = y.transpose(dim, -1)[..., ::step]
    part += part.flip(-1).clone()
    return y


def _first_overwritten(y: Tensor, dim: int) -> Tensor:
    y = y.clone()
    y.select(dim, 0).copy_(y.select(dim, -1).clone())
    return y


def _view_read_after_its_base_was_written(y: Tensor, dim: int) -> Tensor:
    y = y.clone()
    part = y.narrow(dim, 0, 1 + y.shape[dim] // 2)
    y += y.flip(dim).clone()
    return part.clone()


DIMS = range(4)
MOVES: dict[str, Move] = {
    **{f"permute{order}": lambda y, o=order: y.permute(o) for order in [(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2)]},
    **{f"roll{d}": lambda y, d=d: y.roll(1, d) for d in DIMS},
    "roll both": lambda y: y.roll((1, -1), (1, 2)),
    **{f"flip{d}": lambda y, d=d: y.flip(d) for d in DIMS},
    **{f"every second{d}": lambda y, d=d: y.transpose(d, 0)[::2].transpose(d, 0) for d in DIMS},
    **{f"upper half{d}": lambda y, d=d: y.narrow(d, y.shape[d] // 2, y.shape[d] - y.shape[d] // 2) for d in DIMS},
    **{f"cat{d}": lambda y, d=d: torch.cat([y, y.flip(d) * 2], d) for d in (1, 2, 3)},
    **{f"ones{d}": lambda y, d=d: torch.cat([torch.ones_like(y), y], d) for d in (1, 2)},
    **{f"stack{d}": lambda y, d=d: torch.stack([y, y.flip(1)], d).flatten(d, d + 1) for d in (0, 1, 3)},
    "folded": lambda y: y.reshape(y.shape[0], -1, 1, y.shape[3]),
    "unfolded": lambda y: y.reshape(y.shape[0], 1, y.shape[1], -1).transpose(1, 2),
    "reversed shape": lambda y: y.reshape(y.shape[::-1]),
    "pixel shuffle": _shuffle_if_it_fits,
    "pixel unshuffle": _unshuffle_if_it_fits,
    "channel shuffle": lambda y: F.channel_shuffle(y, 2) if y.shape[1] % 2 == 0 else y,
    "pad": lambda y: F.pad(y, (0, 0, 0, 0, 2, 1), value=1.0),
    "crop": lambda y: F.pad(y, (0, 0, 0, 0, -1, 0)) if y.shape[1] > 1 else y,
    "repeat": lambda y: y.repeat(1, 2, 1, 1),
    "interleave": lambda y: y.repeat_interleave(2, 1),
    "expand": lambda y: y[:, :1].expand(-1, 3, -1, -1),
    "expanded, padded": lambda y: F.pad(y[:, :1].expand(-1, 3, -1, -1), (0, 0, 0, 0, 1, 0), value=1.0),
    "rolled sum": lambda y: y.roll(1, 1) + y,
    "chunks swapped": lambda y: torch.cat(y.chunk(2, 1)[::-1], 1),
    "unbound": lambda y: torch.stack(y.unbind(1)[::-1], 1),
    "mean": lambda y: y.mean(1, keepdim=True) + y,
    "sum": lambda y: y.sum(2, keepdim=True),
    "broadcast": lambda y: y[:, :, :1, :1] + y,
    "self gate": lambda y: y * torch.sigmoid(y),
    "gate": lambda y: y * torch.sigmoid(y.mean((2, 3), keepdim=True)),
    "in place": lambda y: y.clone().add_(y.flip(1)).mul_(2).neg_(),
    **{f"written{d}": lambda y, d=d: _written_through_a_view(y, d, 1) for d in (1, 2)},
    **{f"every second written{d}": lambda y, d=d: _written_through_a_view(y, d, 2) for d in (1, 2, 3)},
    **{f"overwritten{d}": lambda y, d=d: _first_overwritten(y, d) for d in (1, 2)},
    **{f"view of written{d}": lambda y, d=d: _view_read_after_its_base_was_written(y, d) for d in (1, 3)},
    "glu": lambda y: F.glu(y, 1) if y.shape[1] % 2 == 0 else y,
    "windows": lambda y: F.unfold(y, 1).unflatten(2, y.shape[2:]),
}  # fmt: skip


# Windows over a map are united over the whole map, which is exact only while nothing varies in it.
CHAINED = sorted(name for name in MOVES if name != "windows")


class Moved(nn.Module):
    """A layer, moves, and a layer that reads the elements [start, stop) of the result only."""

    def __init__(self, moves: list[Move], start: float, stop: float) -> None:
        super().__init__()
        self.stem = nn.Parameter(torch.rand(6, 3, 1, 1, dtype=torch.float64))
        self.moves = moves
        with torch.no_grad():
            size = self.moved(torch.rand(1, 6, 4, 4)).numel()
        self.start, self.stop = int(start * size), max(int(start * size) + 1, int(stop * size))
        self.probe = nn.Parameter(torch.rand(1, self.stop - self.start, dtype=torch.float64))

    def moved(self, y: Tensor) -> Tensor:
        for move in self.moves:
            y = move(y)
        return y

    def read(self, y: Tensor) -> Tensor:
        return self.moved(y).reshape(1, -1)[:, self.start : self.stop]

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.read(F.conv2d(x, self.stem)), self.probe)


def agree(model: Moved) -> None:
    flow = gradient_flow(trace(model, torch.rand(1, 3, 4, 4, dtype=torch.float64)))
    found = {c for low, high in flow.intakes[1].get(0, ()) for c in range(low, high)}
    leaf = torch.randn(1, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    read = model.read(leaf)
    assert flow.layers[1].channels == 1
    expected: set[int] = set()
    count = 0
    if read.requires_grad:
        (gradient,) = torch.autograd.grad((read * torch.randn_like(read)).sum(), leaf, retain_graph=True)
        expected = set((gradient.abs().sum((0, 2, 3)) > 0).nonzero().flatten().tolist())
        rows = [torch.autograd.grad(value, leaf, retain_graph=True)[0] for value in read[0]]
        count = sum(bool(row.any()) for row in rows)
    assert found == expected
    assert flow.layers[1].read_channels == count
    assert flow.flags == ()


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 0.3), (0.5, 0.55)])
def test_one_move(name, start, stop) -> None:
    agree(Moved([MOVES[name]], start, stop))


@settings(max_examples=80, deadline=None)
@given(
    names=st.lists(st.sampled_from(CHAINED), min_size=2, max_size=4),
    start=st.floats(0, 0.95),
    length=st.floats(0.01, 0.5),
)
def test_chains_of_moves(names, start, length) -> None:
    agree(Moved([MOVES[name] for name in names], start, min(1.0, start + length)))
