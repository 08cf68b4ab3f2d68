"""The CSP twins of the zoo's networks: the closed form of the changed architecture against hooks, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze import zoo
from cspanalyze.analyses.closed_forms import cio_closed_form
from cspanalyze.csp import to_csp
from cspanalyze.plans import read_plan
from cspanalyze.stage_plans import DenseLayers, EqualBlocks, NetworkPlan

Shape = tuple[int, int, int, int]
HookCount = Callable[[nn.Module, Shape, Callable[[str], str]], dict[str, int]]

PRESETS = [
    ("resnet50", "paper"),
    ("resnet50", "dropin"),
    ("resnext50_32x4d", "paper"),
    ("darknet53", "paper"),
    ("densenet121", "densenet"),
]
ONCE = [
    ("resnet18", "paper"),
    ("resnet18", "dropin"),
    ("resnext50_32x4d", "dropin"),
    ("seresnet50", "paper"),
    ("seresnet50", "dropin"),
    ("darknet53", "dropin"),
]


def twin(name: str, **options: Any) -> tuple[nn.Module, NetworkPlan]:
    with torch.device("meta"):
        model = to_csp(zoo.create(name), **options).model
    plan = read_plan(model)
    assert plan is not None
    return model, plan


def check(name: str, preset: str, fusion: str, gamma: float, hook_count: HookCount) -> None:
    model, plan = twin(name, gamma=gamma, fusion=fusion, preset=preset)
    shape = (2, 3, 225, 191)
    counted = hook_count(model, shape, lambda path: stage.name if (stage := plan.stage_of(path)) else path)
    result = cio_closed_form(plan, shape)
    assert {row.module: row.value for row in result.rows} == {s.name: counted.get(s.name, 0) for s in plan.stages}
    assert result.total == sum(counted.values())
    partial = [stage.cross_stage for stage in plan.stages if stage.cross_stage is not None]
    assert len(partial) >= 3
    assert {(cross.gamma, cross.fusion, cross.preset) for cross in partial} == {(gamma, fusion, preset)}


@pytest.mark.parametrize(("name", "preset"), PRESETS)
@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
@pytest.mark.parametrize("gamma", [0.25, 0.5, 0.75])
def test_every_stage_of_a_twin(name: str, preset: str, fusion: str, gamma: float, hook_count: HookCount) -> None:
    check(name, preset, fusion, gamma, hook_count)


@pytest.mark.parametrize(("name", "preset"), ONCE)
def test_every_stage_of_other_twins(name: str, preset: str, hook_count: HookCount) -> None:
    check(name, preset, "csp", 0.5, hook_count)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "darknet53"])
def test_scaled_inner_widths(name: str, hook_count: HookCount) -> None:
    model, plan = twin(name, gamma=0.5, inner="scale")
    shape = (1, 3, 224, 224)
    assert cio_closed_form(plan, shape).total == sum(hook_count(model, shape, lambda path: path).values())


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_only_the_stream_gets_narrower(name: str, preset: str) -> None:
    """A twin keeps the kind of its blocks and the widths inside them, and about gamma of the channels bypass."""
    with torch.device("meta"):
        plain = read_plan(zoo.create(name))
    assert plain is not None
    _, plan = twin(name, gamma=0.5, preset=preset)
    for stage, before in zip(plan.stages, plain.stages, strict=True):
        cross = stage.cross_stage
        if cross is None or before.parts is None:
            continue
        body = next(part for part in before.parts if isinstance(part, EqualBlocks | DenseLayers))
        assert isinstance(cross.body, type(body))
        assert cross.template == before.template
        assert cross.body.u == body.u
        # The authors narrow nothing in Darknet's first stage: both of its parts are as wide as the stage.
        whole = name == "darknet53" and stage.name == "stage1"
        assert (cross.b, cross.p) == ((body.c, body.c) if whole else (body.c // 2, body.c // 2))


def test_published_darknet_figures() -> None:
    """CSP raises the CIO of Darknet-53: the two entry convolutions of every stage read its whole input again."""
    with torch.device("meta"):
        base = read_plan(zoo.create("darknet53"))
    _, plan = twin("darknet53", gamma=0.5, preset="paper")
    assert base is not None
    shape = (1, 3, 256, 256)
    assert cio_closed_form(base, shape).total == 24_903_680
    assert cio_closed_form(plan, shape).total == 35_782_656
