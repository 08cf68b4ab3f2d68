"""Detectors: their necks in rows of their own, a step of training, the counts of their papers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cspanalyze import zoo
from cspanalyze.darknet import plan_network
from cspanalyze.pipeline import analyze
from cspanalyze.zoo.darknet_programs import sections
from cspanalyze.zoo.tables import light_detectors
from cspanalyze.zoo.tables.published import PUBLISHED
from cspanalyze.zoo.thundernet import pool_proposals

pytestmark = pytest.mark.usefixtures("one_thread")
LIGHT = [row.name for row in light_detectors.ROWS]
PUBLISHED_DETECTORS = sorted({row.network for row in PUBLISHED if "yolo" in row.network or "panet" in row.network})


@pytest.mark.parametrize("name", [*LIGHT, *PUBLISHED_DETECTORS])
def test_neck_and_head_are_rows(name: str) -> None:
    report = analyze(name, metrics=("macs",))
    assert report.groups[-2:] == ("neck", "head")
    macs = report.result("macs")
    assert all((macs.of(group) or 0) > 0 for group in report.groups)
    assert sum(row.value or 0 for row in macs.rows) == macs.total


@pytest.mark.parametrize("name", LIGHT)
def test_three_heads_of_any_size(name: str) -> None:
    """Forward and backward on real tensors; a head for maps an 8th, a 16th and a 32nd as large."""
    torch.manual_seed(0)
    backbone = replace(zoo.NETWORKS[name].config.backbone, depths=(1, 1, 1, 1))
    network = zoo.create(name, num_classes=2, backbone=backbone, width=16).train()
    maps = network(torch.randn(2, 3, 64, 64))
    assert [tuple(each.shape) for each in maps] == [(2, 21, side, side) for side in (8, 4, 2)]
    sum(each.square().sum() for each in maps).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


def test_the_pyramid_of_necks() -> None:
    """Each neck does more than the one before it: sums, concatenations, both ways, with neighbours, with attention."""

    def macs(name: str) -> float:
        return analyze(f"csppeleenet-{name}", metrics=("macs",)).result("macs").of("neck") or 0

    costs = [macs(neck) for neck in ("gfm", "prn", "fpn", "efm", "efm-sam")]
    assert costs == sorted(costs)
    # SAM is a 1x1 of 128 channels on 52x52, 26x26 and 13x13.
    assert macs("efm-sam") - macs("efm") == 128 * 128 * (52**2 + 26**2 + 13**2)


def test_maxout_is_the_maximum_over_thirds_of_the_neighbours() -> None:
    plan = plan_network(sections(zoo.NETWORKS["csppeleenet-efm"].config), "efm")
    fused = [layer for layer in plan.layers if layer.title == "maxpool" and layer.before.size == layer.shape.size]
    widths = [(layer.before.channels, layer.shape.channels) for layer in fused if layer.before != layer.shape]
    assert widths == [(256, 128), (384, 128), (256, 128)]


def test_thundernet_against_its_paper() -> None:
    """arXiv 1903.11752, table 6: 262 MFLOPs, which are multiply-adds, at 320x320."""
    assert analyze("snet49-thundernet", metrics=("macs",)).result("macs").total == pytest.approx(262e6, rel=0.01)


def test_thundernet_learns() -> None:
    torch.manual_seed(0)
    network = zoo.create("snet49-thundernet", num_classes=3, proposals=10).train()
    classes, boxes = network(torch.randn(2, 3, 128, 128))
    assert (classes.shape, boxes.shape) == ((2, 10, 4), (2, 10, 4))
    (classes.square().sum() + boxes.square().sum()).backward()
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert without == {"proposals.score.weight", "proposals.score.bias"}  # a rank has no gradient; its loss has


def test_proposals_read_their_own_cells() -> None:
    """A box over the whole map: cell k, and no other, reads channel k at its own place."""
    maps = torch.zeros(1, 49, 70, 70)
    for cell in range(49):
        row, column = divmod(cell, 7)
        maps[0, cell, 10 * row : 10 * row + 10, 10 * column : 10 * column + 10] = 1 + cell
    read = pool_proposals(maps, torch.tensor([[[0.0, 0.0, 2.0, 2.0]]]))
    torch.testing.assert_close(read[0, 0], torch.arange(1.0, 50.0))


def test_centernet_is_as_drawn() -> None:
    torch.manual_seed(0)
    network = zoo.create("centernet-resnet18", num_classes=3).train()
    maps = network(torch.randn(2, 3, 64, 64))
    assert [tuple(each.shape) for each in maps] == [(2, 3, 16, 16), (2, 2, 16, 16), (2, 2, 16, 16)]
    sum(each.square().sum() for each in maps).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
