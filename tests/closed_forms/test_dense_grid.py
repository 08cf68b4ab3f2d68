"""Small partial dense stages over a grid of settings: plan, closed form, formula of the paper and hooks agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from cspanalyze.analyses.closed_forms import cio_closed_form
from cspanalyze.csp.split import Split
from cspanalyze.csp.stage import CSPStage
from cspanalyze.plans import read_plan

Shape = tuple[int, int, int, int]
HookCount = Callable[[nn.Module, Shape, Callable[[str], str]], dict[str, int]]

SIZE = (7, 5)
POSITIONS = SIZE[0] * SIZE[1]


class DenseBlock(nn.Module):
    """m layers of growth d on c channels, each with a 1x1 to u channels unless u is 0."""

    def __init__(self, c: int, m: int, d: int, u: int) -> None:
        super().__init__()
        for j in range(m):
            width = c + j * d
            reduce = [nn.Conv2d(width, u, 1), nn.ReLU()] if u else []
            layer = nn.Sequential(*reduce, nn.Conv2d(u or width, d, 3, padding=1))
            self.add_module(f"denselayer{j + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat((x, layer(x)), 1)
        return x


def stage(c: int, m: int, d: int, u: int, b: int, t: int, o: int, fusion: str) -> nn.Module:
    """The network that is nothing but one stage; `fusion` "" is the plain dense block with its transition."""
    grown = m * d
    if not fusion:
        features = {"denseblock1": DenseBlock(c, m, d, u), "transition1": nn.Conv2d(c + grown, o, 1)}
    else:
        parts: dict[str, nn.Module] = {"part2": nn.Sequential(DenseBlock(c - b, m, d, u))}
        if fusion != "first":
            parts["transition1"] = nn.Conv2d(c - b + grown, t, 1)
        if fusion != "last":
            parts["transition2"] = nn.Conv2d(b + (t if fusion == "csp" else c - b + grown), o, 1)
        kept = {"fusion": fusion, "preset": "densenet", "source_names": ()}
        block = CSPStage(parts, sliced=True, split=Split(b, c - b), gamma=b / c, **kept)  # type: ignore[arg-type]
        features = {"denseblock1": block}
    model = nn.Module()
    model.features = nn.Sequential()
    for name, module in features.items():
        model.features.add_module(name, module)
    model.forward = model.features.forward
    return model


def by_the_book(c: int, m: int, d: int, k: int, gamma: float, t: int, o: int, fusion: str) -> float:
    """Elements a position, from c, d, m and gamma, written as in the paper (arXiv 1911.11929, section 3.1)."""
    bypass = gamma * c if fusion else 0
    base = (c - bypass) * m + (m**2 + m) * d / 2 + 2 * k * d * m
    if fusion in ("", "first"):
        return base + (c + m * d + o)
    first = (c - bypass) + m * d + t
    return base + first + (bypass + t + o if fusion == "csp" else 0)


def grid() -> Iterator[tuple[int, int, int, float]]:
    return product((16, 24, 64), (4, 12, 32), (1, 2, 5), (0.25, 0.5, 0.75))


@pytest.mark.parametrize("fusion", ["", "csp", "first", "last"])
@pytest.mark.parametrize("k", [0, 4])
def test_no_mismatch_on_the_grid(fusion: str, k: int, hook_count: HookCount) -> None:
    mismatches = []
    settings = list(grid())
    for c, d, m, gamma in settings:
        b = round(gamma * c)
        t, o = (c - b + m * d) // 2, (c + m * d) // 2
        with torch.device("meta"):
            model = stage(c, m, d, k * d, b, t, o, fusion)
        plan = read_plan(model)
        assert plan is not None
        shape = (3, c, *SIZE)
        closed = cio_closed_form(plan, shape).total
        counted = sum(hook_count(model, shape, lambda path: path).values())
        book = 3 * POSITIONS * by_the_book(c, m, d, k, gamma, t, o, fusion)
        if not closed == counted == book:
            mismatches.append((c, d, m, gamma, closed, counted, book))
    assert len(settings) == 81
    assert mismatches == []
