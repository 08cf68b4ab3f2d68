"""Bytes, copies and residual additions of small networks, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cspanalyze import trace
from cspanalyze.analyses import Grouping, run


class Net(nn.Module):
    """A convolution 3 -> 8 on 8x8 maps, and a function behind it."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.conv(x))


def totals(model: nn.Module, *inputs: Tensor) -> tuple[Any, ...]:
    graph = trace(model, *inputs)
    metrics = ("unfused_bytes", "fused_bytes", "concat_elements", "residual_add_elements")
    return tuple(result.total for result in run(graph, metrics, Grouping.of(graph)))


IMAGE = torch.rand(1, 3, 8, 8)
IN, MAP, WEIGHT = 4 * 3 * 64, 4 * 8 * 64, 4 * 8 * 3 * 9
CONV = IN + WEIGHT + MAP


@pytest.mark.parametrize(
    ("function", "unfused", "fused"),
    [
        (lambda y: y, CONV, CONV),
        (torch.relu, CONV + 2 * MAP, CONV),
        (torch.relu_, CONV + 2 * MAP, CONV),
        # sigmoid reads and writes, the product reads two and writes one: all of it stays inside the run
        (lambda y: y * torch.sigmoid(y), CONV + 2 * MAP + 3 * MAP, CONV),
        (lambda y: y * torch.tanh(nn.functional.softplus(y)), CONV + 4 * MAP + 3 * MAP, CONV),
        # the map is a result too, so it is written, and what reads it again is no part of the run
        (lambda y: (y, torch.relu(y)), CONV + 2 * MAP, CONV + 2 * MAP),
        # a concatenation reads two maps and writes both; the run before it ends in its two operands
        (lambda y: torch.cat([y, y], 1), CONV + 4 * MAP, CONV + 3 * MAP),
        # views move nothing
        (lambda y: y.flatten(1).view(8, 64), CONV, CONV),
    ],
)
def test_a_convolution_and_what_follows(function: Any, unfused: int, fused: int) -> None:
    assert totals(Net(function), IMAGE)[:2] == (unfused, fused)


def test_the_indices_of_a_max_pool_are_written_but_not_if_fused() -> None:
    # 8 channels of 4x4: float32 values and int64 indices
    pooled = 8 * 16
    unfused, fused, *_ = totals(nn.MaxPool2d(2), torch.rand(1, 8, 8, 8))
    assert unfused == MAP + pooled * (4 + 8)
    assert fused == MAP + pooled * 4


def test_an_embedding_reads_the_rows_it_looks_up() -> None:
    # 6 int64 indices, 6 rows of 16 floats read and written; the table has 1000
    assert totals(nn.Embedding(1000, 16), torch.zeros(2, 3, dtype=torch.long))[0] == 6 * 8 + 2 * 6 * 16 * 4


def test_what_is_a_residual_addition() -> None:
    class Add(Net):
        def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
            super().__init__(lambda y: function(y, self.position[:, :, :8, :8]))
            self.position = nn.Parameter(torch.rand(1, 8, 16, 16))

    elements = 8 * 64
    assert totals(Net(lambda y: torch.relu(y) + y), IMAGE)[3] == 3 * elements
    assert totals(Net(lambda y: y + y), IMAGE)[3] == 2 * elements
    assert totals(Net(lambda y: y + 1), IMAGE)[3] == 0
    assert totals(Net(lambda y: y + y.mean((2, 3), keepdim=True)), IMAGE)[3] == 0
    assert totals(Add(lambda y, slice_of_weight: y + slice_of_weight), IMAGE)[3] == 0


def test_bytes_need_no_formula() -> None:
    """An operator without a cost formula moves bytes all the same."""

    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.qr(x)[0]

    graph = trace(Inverse(), torch.rand(4, 4))
    macs, unfused = run(graph, ["macs", "unfused_bytes"], Grouping.of(graph))
    assert [gap.op for gap in macs.uncovered] == ["aten.linalg_qr"]
    assert unfused.uncovered == ()
    assert unfused.total == 3 * 16 * 4


def test_a_weight_of_the_root_is_in_the_stage_that_reads_it() -> None:
    class Rooted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.rand(3, 1, 1))
            self.a = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
            self.b = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x * self.scale))

    graph = trace(Rooted(), IMAGE)
    result = run(graph, ["params"], Grouping.of(graph))[0]
    assert [(row.module, row.value) for row in result.rows] == [("a", 3 + 16), ("b.0", 20), ("b.1", 0)]
