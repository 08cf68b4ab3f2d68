"""The formulas themselves, against sums over layers written out, and the window arithmetic against torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cspanalyze.analyses.closed_forms import (
    cio_closed_form,
    cio_terms,
    concat_closed_form,
    dense_layers,
    equal_blocks,
    one_shot_aggregation,
    residual_add_closed_form,
)
from cspanalyze.stage_plans import (
    Block,
    Chain,
    CrossStage,
    DenseLayers,
    EqualBlocks,
    NetworkPlan,
    OneShotAggregation,
    Part,
    Resize,
    StagePlan,
    Step,
    Transition,
    Window,
)

widths = st.integers(1, 96).map(lambda n: 4 * n)
counts = st.integers(0, 12)


def per_position(part: Part) -> int:
    """Elements of a part on a map of one position."""
    return sum(term.elements for term in cio_terms(part, (1, 1)))


@given(c=widths, m=counts, d=widths, u=widths)
def test_dense_layers_are_the_sum_over_layers(c: int, m: int, d: int, u: int) -> None:
    assert dense_layers(c, m, d) == sum(c + j * d + d for j in range(m))
    assert dense_layers(c, m, d, u) == sum(c + j * d + u + u + d for j in range(m))


@given(c=widths, m=counts, d=widths)
def test_half_of_the_base_gives_the_partial_dense_block_of_the_paper(c: int, m: int, d: int) -> None:
    assert 2 * dense_layers(c // 2, m, d) == c * m + (m * m + m) * d


@given(c=widths, m=counts, d=widths, share=st.integers(0, 4))
def test_what_a_bypass_saves_is_gamma_c_a_layer(c: int, m: int, d: int, share: int) -> None:
    b = share * c // 4
    saved = dense_layers(c, m, d) - dense_layers(c - b, m, d)
    assert saved == b * m
    if m:  # "at most half" needs a base that is wide against what the layers add
        assert saved / dense_layers(c, m, d) == pytest.approx(b / (c + (m + 1) * d / 2))


@given(c=widths, m=counts, d=widths, u=widths, o=widths)
def test_without_bypass_fusion_first_and_last_are_the_plain_dense_stage(c: int, m: int, d: int, u: int, o: int) -> None:
    body = DenseLayers(c, m, d, u)
    plain = per_position(body) + per_position(Transition(c, m, d, o))
    first = CrossStage(body, c, 0, None, o, "first", "slice", "densenet", 0.0)
    last = CrossStage(body, c, 0, o, None, "last", "slice", "densenet", 0.0)
    assert per_position(first) == per_position(last) == plain


@given(c=widths, m=counts)
def test_equal_blocks_at_the_usual_inner_widths(c: int, m: int) -> None:
    assert equal_blocks(c, c // 4, m, layers=3) == 3 * c * m  # ResNet
    assert equal_blocks(c, c // 2, m, layers=3) == 4 * c * m  # ResNeXt
    assert equal_blocks(c, c, m, layers=2) == 4 * c * m  # basic
    assert equal_blocks(c, c // 2, m, layers=2) == 3 * c * m  # Darknet


@given(c=widths, u=widths, m=counts, layers=st.integers(2, 4))
def test_equal_blocks_are_the_sum_over_layers(c: int, u: int, m: int, layers: int) -> None:
    chain = [c, *[u] * (layers - 1), c]
    assert equal_blocks(c, u, m, layers) == m * sum(chain[j] + chain[j + 1] for j in range(layers))


@given(c=widths, m=st.integers(1, 8), d=widths, o=widths)
def test_one_shot_aggregation_is_the_sum_over_layers(c: int, m: int, d: int, o: int) -> None:
    assert one_shot_aggregation(c, m, d, o) == (c + d) + (m - 1) * 2 * d + (c + m * d + o)


@given(c=widths, share=st.sampled_from([1, 2, 3]))
def test_overhead_of_entry_and_transitions(c: int, share: int) -> None:
    b, gamma = share * c // 4, share / 4
    empty = EqualBlocks(Block("bottleneck", c - b, c // 4, c - b, 3), 0)
    stage = CrossStage(empty, c, b, c - b, c, "csp", "two", "paper", gamma)
    assert per_position(stage) == (7 - 2 * gamma) * c
    assert per_position(replace(stage, entry="merged")) == (6 - 2 * gamma) * c


@pytest.mark.parametrize(("entry", "break_even"), [("two", 6), ("merged", 5)])
def test_a_partial_bottleneck_stage_pays_only_with_many_blocks(entry: str, break_even: int) -> None:
    """At gamma .5 with unchanged inner width u = p/2 a block costs 4p = 2c instead of 3c."""
    c = 64
    for m in range(1, 10):
        body = EqualBlocks(Block("bottleneck", c // 2, c // 4, c // 2, 3), m)
        stage = CrossStage(body, c, c // 2, c // 2, c, "csp", entry, "paper", 0.5)  # type: ignore[arg-type]
        assert (per_position(stage) < 3 * c * m) == (m > break_even)


@given(i=widths, u=widths, o=widths, s=st.integers(1, 3))
def test_strided_first_bottleneck(i: int, u: int, o: int, s: int) -> None:
    window = Window((3, 3), (s, s), (1, 1)) if s > 1 else None
    on_3x3 = Block("bottleneck", i, u, o, 3, stride_at=1, window=window, shortcut="projection")
    size, out = (4 * s, 6 * s), 24
    assert sum(term.elements for term in cio_terms(on_3x3, size)) == out * (
        s * s * (i + u) + s * s * u + 2 * u + o + s * s * i + o
    )
    pooled = replace(on_3x3, shortcut="pooled projection")
    assert sum(term.elements for term in cio_terms(pooled, size)) == out * (s * s * (i + 2 * u) + 2 * u + o + i + o)
    on_1x1 = replace(on_3x3, stride_at=0, window=Window((1, 1), (s, s)) if s > 1 else None)
    assert sum(term.elements for term in cio_terms(on_1x1, size)) == out * (s * s * 2 * i + 4 * u + 2 * o)


@given(
    size=st.tuples(st.integers(10, 40), st.integers(10, 40)),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    ceil_mode=st.booleans(),
    data=st.data(),
)
def test_windows_agree_with_torch(
    size: tuple[int, int], kernel: int, stride: int, dilation: int, ceil_mode: bool, data: st.DataObject
) -> None:
    padding = data.draw(st.integers(0, kernel // 2))
    window = Window((kernel,) * 2, (stride,) * 2, (padding,) * 2, (dilation,) * 2, ceil_mode)
    x = torch.empty(1, 1, *size, device="meta")
    pool = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    assert window(size) == tuple(pool(x).shape[2:])
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation, device="meta")
    assert replace(window, ceil_mode=False)(size) == tuple(conv(x).shape[2:])
    if window.keeps_size:
        assert window(size) == size


def test_a_row_spells_its_formula_out() -> None:
    stage = StagePlan("stage1", ("layer1",), (EqualBlocks(Block("bottleneck", 256, 64, 256, 3), 3),))
    result = cio_closed_form(NetworkPlan("numbered layers", (stage,)), (2, 3, 56, 56))
    (row,) = result.rows
    assert row.note == "m·(2c + 4u) = 3·(2·256 + 4·64) per H·W, 56x56"
    assert row.value == result.total == 2 * 3 * 768 * 56 * 56


def test_unknown_is_not_zero() -> None:
    """An unknown stage takes the value from itself, from what follows, and from the total."""
    known = StagePlan("stage1", ("a",), (EqualBlocks(Block("plain", 8, 0, 8, 1, shortcut="none"), 2),))
    plan = NetworkPlan("any", (known, StagePlan("stage2", ("b",), None), replace(known, name="stage3")))
    result = cio_closed_form(plan, (1, 3, 4, 4))
    assert [row.value for row in result.rows] == [2 * 8 * 2 * 16, None, None]
    assert all(row.note.startswith("no closed form") for row in result.rows[1:])
    assert result.total is None
    assert plan.stages[1].template is None


def test_companions() -> None:
    dense = StagePlan("stage1", ("a",), (DenseLayers(64, 6, 32, 128), Transition(64, 6, 32, 128)))
    partial = CrossStage(DenseLayers(32, 6, 32, 128), 64, 32, 112, 128, "csp", "slice", "densenet", 0.5)
    basic = EqualBlocks(Block("basic", 32, 32, 32, 2), 2)
    entry = Block("basic", 64, 32, 32, 2, window=Window((3, 3), (2, 2), (1, 1)), shortcut="projection")
    osa = OneShotAggregation(64, 5, 32, 128)
    parts: list[tuple[Part, ...]] = [(partial,), (entry, basic), (osa,)]
    plan = NetworkPlan("any", (dense, *(StagePlan(f"s{n}", (str(n),), part) for n, part in enumerate(parts))))
    shape = (1, 64, 8, 8)
    concats = [row.value for row in concat_closed_form(plan, shape).rows]
    assert concats == [
        2 * dense_layers(64, 6, 32) * 64,
        (2 * dense_layers(32, 6, 32) + 2 * (32 + 112)) * 64,
        0,
        2 * (64 + 5 * 32) * 16,
    ]
    adds = [row.value for row in residual_add_closed_form(plan, shape).rows]
    assert adds == [0, 0, 3 * 32 * 16 * 3, 0]


def test_what_a_stage_plan_says_of_itself() -> None:
    down = Chain((Step(Window((3, 3), (2, 2), (1, 1)), 32, 64),))
    body = EqualBlocks(Block("darknet", 32, 32, 32, 2), 2)
    cross = CrossStage(body, 64, 32, 32, 64, "csp", "two", "paper", 0.5)
    stage = StagePlan("stage1", ("stages.0",), (down, cross, Chain((Step(Window((2, 2), (2, 2))),))))
    assert (stage.template, stage.entry_stride, stage.cross_stage) == ("darknet", (2, 2), cross)
    assert (cross.p, cross.joined) == (32, 64)
    assert stage.holds("stages.0.blocks")
    assert not stage.holds("stages.01")
    assert stage.size_after((9, 9)) == (2, 2)
    head = StagePlan("head", ("pool",), (Chain((Step(Resize((1, 1))), Step(Resize((7, 7), at_least=True)))),))
    assert head.size_after((9, 5)) == (7, 7)
    plan = NetworkPlan("any", (stage, head))
    assert plan.stage_of("stages.0.conv") is stage
    assert plan.stage_of("") is plan.stage_of("stages") is None
