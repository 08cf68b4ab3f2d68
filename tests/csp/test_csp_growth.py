"""Dense blocks of any make: all channels are handed on and new ones are added, whatever the classes are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cspanalyze.csp import CSPStage, find_stages, to_csp
from cspanalyze.errors import CspError
from cspanalyze.sources import load

IMAGE = torch.empty(1, 3, 32, 32, device="meta")


class Layer(nn.Module):
    """ConvNeXt's block as a dense layer: `channels` -> `channels` + 8."""

    def __init__(self, channels: int, first: bool = False) -> None:
        super().__init__()
        self.deep = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.wide, self.back = nn.Conv2d(channels, 24, 1), nn.Conv2d(24, 8, 1)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        new = self.back(nn.functional.gelu(self.wide(self.deep(x))))
        return torch.cat((new, x) if self.first else (x, new), 1)


class Listed(nn.Module):
    """Layers that read a list of all that came before."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(32 + 8 * at, 8, 3, padding=1) for at in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for layer in self.layers:
            made.append(layer(torch.cat(made, 1)).relu())
        return torch.cat(made, 1)


class Branches(nn.Module):
    """Pyramid pooling's way: what is added does not read what else is added."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = (nn.Conv2d(32, 8, 3, padding=1) for _ in "ab")

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x, self.one(x), self.other(x)), 1)


def _net(*blocks: nn.Module, width: int = 56) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 32, 1), nn.Sequential(*blocks), nn.Conv2d(width, 7, 1))


def _layers(first: bool) -> list[nn.Module]:
    return [Layer(32 + 8 * at, first) for at in range(3)]


@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
@pytest.mark.parametrize("blocks", [_layers(False), _layers(True), [Listed()]], ids=["after", "before", "listed"])
def test_dense_blocks_of_any_make(blocks: list[nn.Module], fusion: Any) -> None:
    model = _net(*blocks)
    twin = to_csp(model, IMAGE, gamma=0.25, fusion=fusion).model
    (stage,) = (module for module in twin.modules() if isinstance(module, CSPStage))
    assert (stage.c1, stage.c2, stage.preset) == (8, 24, "dropin")
    assert stage.part2(torch.rand(1, 24, 9, 9)).shape == (1, 24 + 3 * 8, 9, 9)  # growth stays
    x = torch.rand(2, 3, 9, 9)
    made = twin(x)
    assert made.shape == model(x).shape
    made.sum().backward()
    assert all(each.grad is not None for each in twin.parameters())


def test_growth_and_inner_widths_stay_and_inputs_shrink() -> None:
    """Layer i reads 16 + 8 i channels: depthwise n x 9 + n, n x 24 + 24 and 24 x 8 + 8 for n = 16, 24, 32."""
    twin = to_csp(_net(*_layers(False)), IMAGE)
    stage: Any = next(module for module in twin.model.modules() if isinstance(module, CSPStage))
    expected = [n * 9 + n + n * 24 + 24 + 24 * 8 + 8 for n in (16, 24, 32)]
    assert [sum(each.numel() for each in layer.parameters()) for layer in stage.part2] == expected
    # T1 is as wide as part 2 with its growth, 16 + 24; T2 makes the 56 channels of the base.
    assert stage.transition1.conv.weight.shape[:2] == (40, 40)
    assert stage.transition2.conv.weight.shape[:2] == (56, 56)


def test_slice_keeps_what_the_kept_channels_are_read_with() -> None:
    model: Any = _net(*_layers(True))  # new channels stand first: those that go are 0..15, then 8..23, then 16..31
    twin: Any = to_csp(model, IMAGE, init="slice").model
    kept = [[*range(16, 32)], [*range(8), *range(24, 40)], [*range(16), *range(32, 48)]]
    for layer, old, rows in zip(twin[1][0].part2, model[1], kept, strict=True):
        assert torch.equal(layer.wide.weight, old.wide.weight[:, rows])


def test_side_branches_and_single_steps_are_no_dense_block() -> None:
    for block in (Branches(), Layer(32)):
        with pytest.raises(CspError, match="no staged convolution chain found"):
            to_csp(_net(block, width=48 if isinstance(block, Branches) else 40), IMAGE)


def test_rdnet() -> None:
    network = load("timm:rdnet_tiny")
    stages = find_stages(network.model, network.args).stages
    assert [stage.path for stage in stages] == [f"dense_stages.{at}" for at in range(7)]
    assert [stage.channels for stage in stages] == [64, 128, 216, 296, 336, 360, 368]
    assert not any(change.skipped for change in to_csp(network.model, *network.args).changes)


class Uneven(nn.Module):
    """Adds 8 channels, then 16: joined, but not by a dense block."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(32, 8, 3, padding=1), nn.Conv2d(40, 16, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat((x, self.first(x)), 1)
        return torch.cat((x, self.second(x)), 1)


def test_new_parts_of_different_widths_are_no_dense_block() -> None:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), Uneven())
    with pytest.raises(CspError, match=r"no staged .* 1 \(Uneven\) makes 56x10x10 of 32x10x10"):
        to_csp(model, torch.empty(1, 3, 12, 12, device="meta"))
