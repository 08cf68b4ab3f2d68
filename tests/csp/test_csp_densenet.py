"""CSP of DenseNets, against widths written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze.csp import CSPStage, to_csp

NAMES = ["densenet121", "densenet169", "densenet201"]


def _conv(stage: nn.Module, path: str) -> tuple[int, int]:
    conv = stage.get_submodule(path)
    assert isinstance(conv, nn.Conv2d)
    return conv.in_channels, conv.out_channels


def _stage(model: nn.Module, number: int) -> CSPStage:
    stage = model.get_submodule(f"features.denseblock{number}")
    assert isinstance(stage, CSPStage)
    return stage


def test_dense_layers_read_part_2_and_transitions_keep_the_stage_width(meta_zoo: Callable[[str], nn.Module]) -> None:
    twin = to_csp(meta_zoo("densenet121"))
    assert {change.preset for change in twin.changes} == {"densenet"}
    # Stage 1 has C = 64 and 6 layers of growth 32: 32 bypass, 32 + 192 = 224 leave the dense block.
    stage = _stage(twin.model, 1)
    assert _conv(stage, "part2.0.denselayer1.conv1") == (32, 128)
    assert _conv(stage, "part2.0.denselayer6.conv1") == (32 + 5 * 32, 128)
    assert _conv(stage, "part2.0.denselayer6.conv2") == (128, 32)
    assert _conv(stage, "transition1.conv") == (224, 112)
    assert [name for name, _ in stage.transition1.named_children()] == ["norm", "act", "conv"]
    assert _conv(stage, "transition2.conv") == (32 + 112, 128)
    assert isinstance(twin.model.get_submodule("features.transition1"), nn.Identity)
    assert stage.source_names == ("features.denseblock1", "features.transition1")
    # Stage 4 has C = 512 and 16 layers, and no transition after it: T1 keeps the width of 256 + 512.
    last = _stage(twin.model, 4)
    assert _conv(last, "transition1.conv") == (768, 768)
    assert isinstance(last.transition2, nn.Identity)
    assert twin.model.get_submodule("features.norm5").num_features == 1024


def test_first_has_the_own_transition_alone(meta_zoo: Callable[[str], nn.Module]) -> None:
    model = to_csp(meta_zoo("densenet121"), fusion="first").model
    assert isinstance(_stage(model, 1).transition1, nn.Identity)
    assert _conv(_stage(model, 1), "transition2.conv") == (256, 128)
    assert isinstance(_stage(model, 4).transition1, nn.Identity)
    assert isinstance(_stage(model, 4).transition2, nn.Identity)


def test_last_pools_part_1_and_transforms_part_2(meta_zoo: Callable[[str], nn.Module]) -> None:
    stage = _stage(to_csp(meta_zoo("densenet121"), fusion="last").model, 1)
    assert isinstance(stage.part1, nn.AvgPool2d)
    assert _conv(stage, "transition1.conv") == (224, 128 - 32)
    assert isinstance(stage.transition2, nn.Identity)


def test_inner_scale_thins_the_bottleneck_and_not_the_growth(meta_zoo: Callable[[str], nn.Module]) -> None:
    stage = _stage(to_csp(meta_zoo("densenet121"), inner="scale").model, 1)
    assert _conv(stage, "part2.0.denselayer1.conv1") == (32, 64)
    assert _conv(stage, "part2.0.denselayer1.conv2") == (64, 32)


def test_more_gamma_costs_less(meta_zoo: Callable[[str], nn.Module], macs: Callable[[nn.Module, int], int]) -> None:
    base = meta_zoo("densenet121")
    counts = [macs(to_csp(base, gamma=gamma).model, 64) for gamma in (0.1, 0.25, 0.5, 0.75, 0.9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[2] < macs(base, 64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
def test_all_libraries_definitions_give_the_same_twin(
    name: str, fusion: Any, meta_zoo: Callable[[str], nn.Module], torchvision_models: ModuleType, timm: ModuleType
) -> None:
    ours = to_csp(meta_zoo(name), fusion=fusion).model.state_dict()
    with torch.device("meta"):
        peers = [timm.create_model(name), getattr(torchvision_models, name)()]
    shapes = [tensor.shape for tensor in ours.values()]
    for peer in peers:
        assert [tensor.shape for tensor in to_csp(peer, fusion=fusion).model.state_dict().values()] == shapes
