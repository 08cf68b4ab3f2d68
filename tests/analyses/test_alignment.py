"""Which layer of one network is which of another."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cspanalyze import trace
from cspanalyze.analyses import Grouping
from cspanalyze.analyses.alignment import align
from cspanalyze.analyses.layers import Layer, layers_of
from cspanalyze.pipeline.contrasting import contrast
from cspanalyze.results import Alignment, LayerDifference


def _layers(model: nn.Module, *size: int) -> tuple[Layer, ...]:
    graph = trace(model.to("meta").eval(), torch.empty(1, *size, device="meta"))
    return layers_of(graph, Grouping.of(graph, "module", 1))


def _aligned(ours: nn.Module, theirs: nn.Module) -> Alignment:
    return align("other", _layers(ours, 3, 8, 8), _layers(theirs, 3, 8, 8))


def _conv(channels: int, out: int, kernel: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)


class Two(nn.Module):
    """Two convolutions on one map, where `merged` is one."""

    def __init__(self, first: int, second: int, merged: bool) -> None:
        super().__init__()
        widths = [first + second] if merged else [first, second]
        self.parts = nn.ModuleList(_conv(3, width) for width in widths)
        self.last = _conv(first + second, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = [part(x) for part in self.parts]
        return self.last(torch.cat(made, 1) if len(made) > 1 else made[0])


def test_what_a_layer_says() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, 1, 1, groups=4),
    )
    first, pool, last = _layers(model, 3, 8, 8)
    assert list(map(str, (first, pool, last))) == [
        "conv 3x3/2, 3 -> 8, 4x4",
        "max pool 2x2/2, 8 channels, 2x2",
        "conv 3x3, 8 -> 8, 4 groups, 2x2",
    ]
    assert (first.activation, pool.activation) == ("leaky_relu(0.1)", "")
    assert (first.macs, first.params) == (27 * 8 * 16, 27 * 8 + 8 + 2 * 8)


def test_equal_networks_do_not_differ() -> None:
    network = nn.Sequential(_conv(3, 4, 3), nn.ReLU(), _conv(4, 4))
    assert _aligned(network, network) == Alignment("other", 2, ())


def test_another_width_and_another_activation() -> None:
    ours = nn.Sequential(_conv(3, 4, 3), nn.ReLU(), _conv(4, 5), nn.ReLU())
    theirs = nn.Sequential(_conv(3, 6, 3), nn.ReLU(), _conv(6, 5), nn.SiLU())
    found = _aligned(ours, theirs)
    assert [(each.base, each.variant) for each in found.differences] == [
        ("conv 3x3, 3 -> 4, 8x8", "conv 3x3, 3 -> 6, 8x8"),
        ("conv 1x1, 4 -> 5, 8x8, relu", "conv 1x1, 6 -> 5, 8x8, silu"),
    ]
    assert [each.params for each in found.differences] == [2 * 27, 2 * 5]
    assert [each.macs for each in found.differences] == [2 * 27 * 64, 2 * 5 * 64]


def test_one_convolution_for_two() -> None:
    (difference, concatenation) = _aligned(Two(4, 4, merged=True), Two(4, 4, merged=False)).differences
    assert difference.kind == "two for one"
    assert (difference.base, difference.variant) == ("conv 1x1, 3 -> 8, 8x8", "2 x conv 1x1, 3 -> 4, 8x8")
    assert (difference.macs, difference.params) == (0, 0)
    assert (concatenation.kind, concatenation.base) == ("added", "")
    back = _aligned(Two(4, 2, merged=False), Two(4, 2, merged=True)).differences
    assert back[0].kind == "one for two"
    assert back[0].base == "conv 1x1, 3 -> 4, 8x8 and conv 1x1, 3 -> 2, 8x8"


widths = st.lists(st.sampled_from((2, 3, 4)), min_size=1, max_size=5)


@given(widths, widths, st.sampled_from((1, 3)))
@settings(max_examples=15, deadline=None)
def test_differences_add_up(ours: list[int], theirs: list[int], kernel: int) -> None:
    """Whatever is matched with what: the differences are the difference of the totals, and no layer is lost."""
    both = [
        _layers(nn.Sequential(*(_conv(a, b, kernel) for a, b in zip([3, *outs[:-1]], outs, strict=True))), 3, 4, 4)
        for outs in (ours, theirs)
    ]
    found = align("other", *both)
    for figure in ("macs", "params"):
        before, after = (sum(getattr(layer, figure) for layer in layers) for layers in both)
        assert sum(getattr(each, figure) for each in found.differences) == after - before
    shaped = [each for each in found.differences if each.kind != "other activation"]
    assert found.same + sum(len(each.base_layers) for each in shaped) == len(ours)
    assert found.same + sum(len(each.variant_layers) for each in shaped) == len(theirs)


def test_three_definitions_of_cspresnet50(timm: object) -> None:
    """What the tables admit of each: the cfg's first stage is 64 wide in part 2, pools 2x2, and splits by two 1x1."""
    found = contrast(["cspresnet50", "timm:cspresnet50", "darknet/cspresnet50"], metrics=("params", "macs"))
    same, other = found.alignments
    assert (same.differences, same.same) == ((), 75)
    by_text = {(each.stage, each.base.split(",")[0]): each for each in other.differences}

    def variant(stage: str, layer: str) -> LayerDifference:
        return by_text[stage, layer]

    assert variant("stem", "max pool 3x3/2").variant == "max pool 2x2/2, 64 channels, 64x64"
    split = next(each for each in other.differences if each.stage == "stage1" and each.kind == "two for one")
    assert split.variant.startswith("conv 1x1, 64 -> 128, 64x64 and conv 1x1, 64 -> 64, 64x64")
    assert split.params == -(64 * 64 + 2 * 64)
    assert [each.stage for each in other.differences if each.kind == "two for one"] == [
        "stage1", "stage2", "stage3", "stage4",
    ]  # fmt: skip
    assert variant("stem .. stage4", "leaky_relu(0.01)").variant == "leaky_relu(0.1)"
    totals = [report.result("params").total for report in (found.base, found.variants[1])]
    assert sum(each.params for each in other.differences) == totals[1] - totals[0] == 21_607_848 - 21_616_168
    assert "67 layers are of the same shape, 8 are not" in found.sentences[1]


def test_all_get_the_input_of_the_first() -> None:
    found = contrast(["resnet18", "darknet/resnet10"], metrics=("macs",))
    assert [report.subject.inputs for report in (found.base, *found.variants)] == [("1x3x224x224:float32",)] * 2
    assert found.sentences[0].startswith("Beside resnet18, darknet/resnet10 has lower MACs by ")


def test_one_network_is_not_enough() -> None:
    with pytest.raises(Exception, match="name two or more"):
        contrast(["resnet18"])
