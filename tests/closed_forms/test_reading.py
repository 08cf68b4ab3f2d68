"""What the readers accept and refuse: a plan that might be wrong is worse than none."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

from cspanalyze.analyses.closed_forms import cio_closed_form
from cspanalyze.csp.split import Split
from cspanalyze.csp.stage import CSPStage
from cspanalyze.plans import read_plan
from cspanalyze.stage_plans import EqualBlocks, NetworkPlan, StagePlan

Shape = tuple[int, int, int, int]
HookCount = Callable[[nn.Module, Shape, Callable[[str], str]], dict[str, int]]


def conv(i: int, o: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, kernel, stride, kernel // 2)


class Block(nn.Module):
    """A basic block of given convolutions; only its structure matters here."""

    def __init__(self, *convs: nn.Module, **others: nn.Module) -> None:
        super().__init__()
        for number, layer in enumerate(convs, start=1):
            self.add_module(f"conv{number}", layer)
        for name, layer in others.items():
            self.add_module(name, layer)


def plan_of(model: nn.Module) -> NetworkPlan:
    plan = read_plan(model)
    assert plan is not None
    return plan


def second_stage(*modules: nn.Module) -> StagePlan:
    """What is read of `modules` as the second stage of a ResNet."""
    model = nn.Module()
    model.conv1 = conv(3, 8)
    model.layer1 = nn.Sequential(Block(conv(8, 8), conv(8, 8)))
    model.layer2 = nn.Sequential(*modules)
    stem, first, second = plan_of(model).stages
    assert (stem.template, first.template) == ("chain", "basic")
    return second


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (Block(conv(8, 8, stride=2), conv(8, 8, stride=2)), "two strides"),
        (Block(conv(8, 8), conv(16, 8)), "a gap between the widths"),
        (Block(conv(8, 8, 1), conv(8, 16), conv(16, 8, 1)), "two inner widths"),
        (Block(conv(8, 8, 1), conv(8, 8, 1)), "no spatial convolution"),
        (Block(conv(8, 8)), "one convolution"),
        (Block(conv(8, 8), conv(8, 8), aa=nn.AvgPool2d(2)), "a pooling on the path"),
        (Block(conv(8, 8), conv(8, 8), se=nn.Sequential(conv(8, 2, 1))), "half a gate"),
        (Block(conv(8, 8), conv(8, 8), se=nn.Sequential(conv(8, 2, 1), conv(2, 4, 1))), "a gate of another width"),
        (Block(conv(8, 8), conv(8, 8), downsample=nn.Sequential(conv(8, 8), conv(8, 8))), "two projections"),
        (Block(conv(8, 8), conv(8, 8), downsample=nn.Sequential(nn.AvgPool2d(2))), "a shortcut without convolution"),
        (nn.Bilinear(8, 8, 8), "no convolution at all"),
    ],
)
def test_blocks_of_another_structure_are_unknown(block: nn.Module, why: str) -> None:
    assert second_stage(block).parts is None, why


def test_blocks_that_differ_are_counted_apart() -> None:
    stage = second_stage(Block(conv(8, 8), conv(8, 8)), Block(conv(8, 8), conv(8, 8)), Block(conv(8, 4), conv(4, 8)))
    assert stage.parts is not None
    assert [(part.m, part.u) for part in stage.parts if isinstance(part, EqualBlocks)] == [(2, 8), (1, 4)]


@pytest.mark.parametrize(
    ("widths", "known"),
    [
        ([(8, 4), (12, 4), (16, 4)], True),
        ([(8, 4), (12, 4), (12, 4)], False),
        ([(8, 4), (12, 6), (18, 4)], False),
    ],
)
def test_dense_layers_must_read_all_before_them(widths: list[tuple[int, int]], known: bool) -> None:
    block = nn.Module()
    for number, (i, o) in enumerate(widths, start=1):
        block.add_module(f"denselayer{number}", nn.Sequential(conv(i, o)))
    strided = nn.Module()
    strided.denselayer1 = nn.Sequential(conv(8, 4, stride=2))
    model = nn.Module()
    model.features = nn.Sequential()
    model.features.denseblock1 = block
    plan = read_plan(model)
    assert (plan is not None) == known
    model.features.denseblock1 = strided
    assert read_plan(model) is None


@pytest.mark.parametrize(
    ("middle", "known"),
    [
        ([conv(8, 4), conv(4, 4)], True),
        ([conv(8, 4), conv(4, 4, stride=2)], False),
        ([conv(8, 4), conv(4, 4), conv(4, 4)], False),
    ],
)
def test_one_shot_aggregations_must_aggregate_all(middle: list[nn.Module], known: bool) -> None:
    osa = nn.Module()
    osa.conv_mid = nn.Sequential(*middle)
    osa.conv_concat = nn.Sequential(conv(8 + 2 * 4, 8, 1))
    assert second_stage(osa).template == ("osa" if known else None)


@pytest.mark.parametrize(("t1", "t2"), [((4, 4), (8, 8)), ((6, 4), (8, 8)), ((4, 4), (6, 8)), ((4, 6), (8, 8))])
def test_transitions_must_read_what_reaches_them(t1: tuple[int, int], t2: tuple[int, int]) -> None:
    parts: dict[str, nn.Module] = {
        "part2": nn.Sequential(conv(4, 4), conv(4, 4)),
        "transition1": conv(*t1, 1),
        "transition2": conv(*t2, 1),
    }
    twin = CSPStage(
        parts, sliced=True, split=Split(4, 4), gamma=0.5, fusion="csp", preset="dropin", source_names=("layer2",)
    )
    stage = second_stage(twin)
    assert (stage.parts is None) == ((t1, t2) != ((4, 4), (8, 8)))
    if stage.cross_stage is not None:
        assert (stage.template, stage.cross_stage.body.c, stage.cross_stage.body.m) == ("plain", 4, 2)


@pytest.mark.parametrize("body", [[conv(4, 4), conv(4, 4, stride=2)], [conv(4, 6), conv(6, 4)], [nn.ReLU()]])
def test_bodies_of_unequal_convolutions_are_unknown(body: list[nn.Module]) -> None:
    split = Split(4, 4)
    parts: dict[str, nn.Module] = {"part2": nn.Sequential(*body), "transition1": conv(4, 4, 1)}
    twin = CSPStage(parts, sliced=True, split=split, gamma=0.5, fusion="last", preset="dropin", source_names=())
    assert second_stage(twin).parts is None


def test_padding_by_name_and_chains_without_features(hook_count: HookCount) -> None:
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding="same", dilation=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, (3, 1), padding="valid"),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.AdaptiveAvgPool2d((2, 1)),
            nn.Conv2d(8, 4, 1),
        )
    plan = plan_of(model)
    assert [stage.name for stage in plan.stages] == ["stage1", "stage2", "stage3"]
    for shape in [(1, 3, 16, 18), (2, 3, 15, 17)]:
        assert cio_closed_form(plan, shape).total == sum(hook_count(model, shape, lambda path: path).values())


def test_an_adaptive_pooling_along_one_axis_is_unknown() -> None:
    model = nn.Sequential(conv(3, 8), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d((None, 1)), conv(8, 8, 1))
    assert [stage.template for stage in plan_of(model).stages] == ["chain", None]


def test_a_head_that_enlarges_small_maps_only(timm: ModuleType, hook_count: HookCount) -> None:
    """timm's VGG classifies by a 7x7 convolution; maps from 7x7 up pass as they are."""
    with torch.device("meta"):
        model = timm.create_model("vgg11")
    for shape in [(1, 3, 288, 224), (1, 3, 160, 288)]:
        assert cio_closed_form(plan_of(model), shape).total == sum(hook_count(model, shape, str).values())


def test_layer0_is_the_stem(timm: ModuleType) -> None:
    with torch.device("meta"):
        plan = plan_of(timm.create_model("legacy_seresnet18"))
    assert [stage.name for stage in plan.stages] == ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
    assert plan.stages[0].paths == ("layer0", "pool0")


def test_convolutions_that_pad_in_their_own_way_are_unknown(timm: ModuleType) -> None:
    with torch.device("meta"):
        plan = plan_of(timm.create_model("tf_efficientnet_b0"))
    assert plan.stages[0].parts is None
    assert cio_closed_form(plan, (1, 3, 224, 224)).total is None
