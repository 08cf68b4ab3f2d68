"""Frozen and shared weights: what is drawn anew trains, what was one stays one where widths agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cspanalyze.csp import to_csp

Small = Callable[[str], nn.Module]


@pytest.mark.parametrize("preset", ["paper", "dropin"])
@pytest.mark.parametrize("init", ["reset", "slice"])
def test_layers_that_are_drawn_anew_are_trained(init: Any, preset: Any, small: Small) -> None:
    twin = to_csp(small("resnet50").requires_grad_(False), init=init, preset=preset)
    stage: Any = twin.model.get_submodule("layer2")
    assert all(
        each.requires_grad for part in ("transition1", "transition2") for each in stage.get_submodule(part).parameters()
    )
    assert {each.requires_grad for each in stage.part2.parameters()} == {init == "reset"}
    assert not any(each.requires_grad for each in twin.model.get_submodule("conv1").parameters())
    assert {each.requires_grad for each in stage.down.parameters()} == {
        preset == "paper"
    }  # new there, a copy in dropin
    assert "was frozen" in twin.changes[1].remark


class Pair(nn.Module):
    """Two blocks of two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3)
        self.one, self.other = (
            nn.Sequential(nn.Conv2d(32, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.Conv2d(32, 32, 1)) for _ in "ab"
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.other(self.one(self.stem(x)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("init", ["reset", "slice"])
def test_weights_shared_by_two_blocks_stay_shared(init: Any) -> None:
    model: Any = Pair()
    model.other[0].weight = model.one[0].weight
    twin = to_csp(model, torch.empty(1, 3, 18, 18, device="meta"), init=init)
    first, second = twin.model.get_submodule("one.part2").children()
    assert first[0].weight is second[0].weight
    assert first[2].weight is not second[2].weight
    # Inner widths stay: 16 x 32 x 9 once, two biases of 32, two norms of 2 x 32, two 1x1 of 32 x 16 + 16.
    assert sum(each.numel() for each in twin.model.get_submodule("one.part2").parameters()) == 4608 + 64 + 128 + 1056
    assert not twin.changes[0].remark


def test_a_norm_shared_by_two_blocks_keeps_one_mean() -> None:
    model: Any = Pair()
    model.other[1] = model.one[1]
    twin = to_csp(model, torch.empty(1, 3, 18, 18, device="meta"))
    first, second = twin.model.get_submodule("one.part2").children()
    assert first[1].running_mean is second[1].running_mean
    twin.model(torch.rand(2, 3, 18, 18))
    assert int(first[1].num_batches_tracked) == 2


def test_weights_whose_widths_part_are_told() -> None:
    model: Any = Pair()
    model.stem = nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 32, 1))
    model.stem[1].weight = model.one[2].weight
    twin = to_csp(model, torch.empty(1, 3, 18, 18, device="meta"))
    assert twin.changes[0].remark == "no longer shared, as widths differ: stem.1.weight, one.2.weight"
