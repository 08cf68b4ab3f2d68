"""Whole networks: the closed form against hooks, stage by stage, and against published figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import nn

from cspanalyze import zoo
from cspanalyze.analyses.closed_forms import cio_closed_form, cio_terms
from cspanalyze.plans import read_plan
from cspanalyze.stage_plans import CrossStage, NetworkPlan, resize

Shape = tuple[int, int, int, int]
HookCount = Callable[[nn.Module, Shape, Callable[[str], str]], dict[str, int]]

SHAPES: list[Shape] = [(1, 3, 224, 224), (2, 3, 225, 191)]
ZOO = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "seresnet50",
    "densenet121", "densenet169", "densenet201", "darknet53", "cspresnet50", "cspresnext50", "cspdarknet53",
]  # fmt: skip
TORCHVISION = [
    "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "vgg11", "vgg16", "vgg16_bn",
    "alexnet", "mobilenet_v2",
]  # fmt: skip
TIMM = [
    "resnet34", "resnet50d", "seresnet50", "densenet121", "darknet53", "cspresnet50", "cspresnext50", "cspdarknet53",
    "cs3darknet_m", "vgg16", "mobilenetv2_100", "efficientnet_b0", "vovnet39a", "legacy_seresnet50",
]  # fmt: skip


def plan_of(model: nn.Module) -> NetworkPlan:
    plan = read_plan(model)
    assert plan is not None
    return plan


def check_every_stage(model: nn.Module, shape: Shape, hook_count: HookCount) -> None:
    plan = plan_of(model)
    result = cio_closed_form(plan, shape)

    def stage(path: str) -> str:
        found = plan.stage_of(path)
        assert found is not None, f"{path} belongs to no stage"
        return found.name

    counted = hook_count(model, shape, stage)
    assert {row.module: row.value for row in result.rows} == {s.name: counted.get(s.name, 0) for s in plan.stages}
    assert result.total == sum(counted.values()) > 0


@pytest.mark.parametrize("name", ZOO)
def test_zoo(name: str, hook_count: HookCount) -> None:
    with torch.device("meta"):
        model = zoo.create(name)
    for shape in SHAPES:
        check_every_stage(model, shape, hook_count)


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str, hook_count: HookCount, torchvision_models: ModuleType) -> None:
    with torch.device("meta"):
        model = torchvision_models.get_model(name)
    for shape in SHAPES:
        check_every_stage(model, shape, hook_count)


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str, hook_count: HookCount, timm: ModuleType) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    for shape in SHAPES:
        check_every_stage(model, shape, hook_count)


def total(model: nn.Module, side: int = 224) -> int:
    value = cio_closed_form(plan_of(model), (1, 3, side, side)).total
    assert isinstance(value, int)
    return value


def with_early_strides(model: nn.Module) -> nn.Module:
    """The ResNet of the first paper (arXiv 1512.03385): the stride on the first 1x1 instead of the 3x3."""
    for block in model.modules():
        first, second = getattr(block, "conv1", None), getattr(block, "conv2", None)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d):
            first.stride, second.stride = second.stride, first.stride
    return model


@pytest.mark.parametrize(
    ("name", "late", "early"),
    [("resnet50", 21.776, 20.723), ("resnet101", 32.012, 30.959), ("resnet152", 44.657, 43.603)],
)
def test_hardnet_table_resnets(name: str, late: float, early: float, hook_count: HookCount) -> None:
    """HarDNet (ICCV 2019, table 3) has the stride on the first 1x1: 20.7, 30.9 and 43.6 M."""
    with torch.device("meta"):
        model = zoo.create(name)
    assert total(model) / 1e6 == pytest.approx(late, abs=5e-4)
    assert total(with_early_strides(model)) / 1e6 == pytest.approx(early, abs=5e-4)
    check_every_stage(model, SHAPES[1], hook_count)


@pytest.mark.parametrize(
    ("name", "side", "millions"),
    [
        ("resnet18", 224, 4.666),
        ("densenet121", 224, 21.864),
        ("densenet201", 224, 31.812),
        ("darknet53", 256, 24.904),
        ("cspdarknet53", 256, 33.751),
        ("cspresnet50", 256, 22.348),
        ("cspresnext50", 256, 30.999),
    ],
)
def test_known_totals(name: str, side: int, millions: float) -> None:
    """The first three are in HarDNet's table (ICCV 2019): 4.7, 21.9 and 31.8 M."""
    with torch.device("meta"):
        assert total(zoo.create(name), side) / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize(("name", "millions"), [("vgg16", 22.629), ("mobilenet_v2", 13.444)])
def test_known_totals_of_torchvision(name: str, millions: float, torchvision_models: ModuleType) -> None:
    with torch.device("meta"):
        assert total(torchvision_models.get_model(name)) / 1e6 == pytest.approx(millions, abs=5e-4)


def test_two_entry_convolutions_read_the_input_twice() -> None:
    """CSPDarknet-53 as published has two where timm has one: 35.785 M instead of 33.751 M at 256x256.

    The authors' classifier is moreover a 1x1 convolution on the mean of the map: 1024 + 1000 elements.
    """
    with torch.device("meta"):
        plan = plan_of(zoo.create("cspdarknet53"))
    split = tuple(
        replace(stage, parts=tuple(replace(p, entry="two") if isinstance(p, CrossStage) else p for p in stage.parts))
        for stage in plan.stages
        if stage.parts is not None
    )
    value = cio_closed_form(replace(plan, stages=split), (1, 3, 256, 256)).total
    assert value is not None
    assert value == 35_782_656
    assert (value + 1024 + 1000) / 1e6 == pytest.approx(35.785, abs=5e-4)


def test_stages_are_named_and_templated() -> None:
    with torch.device("meta"):
        plan = plan_of(zoo.create("cspresnet50"))
    assert [stage.name for stage in plan.stages] == ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
    assert [stage.template for stage in plan.stages] == ["chain", *["bottleneck"] * 4, "chain"]
    assert [stage.entry_stride[0] for stage in plan.stages] == [4, 1, 2, 2, 2, 1]
    cross = plan.stages[2].cross_stage
    assert cross is not None
    assert (cross.i, cross.b, cross.p, cross.t, cross.o, cross.entry) == (128, 256, 256, 256, 256, "merged")


@pytest.mark.parametrize("name", ["resnet18", "seresnet50", "densenet121", "darknet53", "cspresnext50"])
def test_the_numbers_in_a_formula_give_its_value(name: str) -> None:
    with torch.device("meta"):
        plan = plan_of(zoo.create(name))
    checked = 0
    for stage, size in plan.input_sizes((224, 224)):
        assert stage.parts is not None
        assert size is not None
        for part in stage.parts:
            for term in cio_terms(part, size):
                assert eval(term.filled.replace("²", "**2").replace("·", "*")) == term.per_position
                checked += 1
            size = resize(size, part.windows)
    assert checked > 5


def test_unknown_networks_and_stages(timm: ModuleType, torchvision_models: ModuleType) -> None:
    with torch.device("meta"):
        assert read_plan(torchvision_models.get_model("squeezenet1_0")) is None
        assert read_plan(torchvision_models.get_model("vit_b_16")) is None
        assert read_plan(nn.Linear(3, 3)) is None
        blurred = plan_of(timm.create_model("resnetaa50"))  # strides moved into poolings behind the 3x3
    assert [stage.template for stage in blurred.stages] == ["chain", "bottleneck", None, None, None, "chain"]
    assert cio_closed_form(blurred, (1, 3, 224, 224)).total is None


def test_reading_is_fast_and_leaves_the_model_alone() -> None:
    with torch.device("meta"):
        model = zoo.create("resnet50")
    before = repr(model)
    start = time.perf_counter()
    for _ in range(5):
        read_plan(model)
    assert (time.perf_counter() - start) / 5 < 0.03  # about a millisecond; the margin is for busy machines
    assert repr(model) == before
    assert not any(module._forward_hooks for module in model.modules())
