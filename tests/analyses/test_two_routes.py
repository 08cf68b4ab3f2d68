"""The closed form and the trace, two independent routes to CIO, agree stage by stage: for bases and for twins."""

from __future__ import annotations

import itertools

import pytest

from cspanalyze import analyze, compare, zoo
from cspanalyze.pipeline import Csp
from cspanalyze.results import Report

METRICS = ("cio", "cio_closed_form")
BASES = [
    name
    for name, entry in zoo.NETWORKS.items()
    if entry.family in ("darknet", "densenet", "resnet") and not name.endswith("-elastic")
]
"""Those whose twins have closed forms, too."""


def assert_equal_routes(report: Report) -> None:
    traced, formula = report.result("cio"), report.result("cio_closed_form")
    assert [row.module for row in formula.rows] == list(report.groups)
    for group in report.groups:
        assert formula.of(group) == traced.of(group), group
    assert formula.total == traced.total
    assert traced.total is not None
    assert traced.total > 0


@pytest.mark.parametrize("gamma", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("name", BASES)
def test_built_in_networks_and_their_twins(name: str, gamma: float) -> None:
    comparison = compare(name, csp=Csp(gamma=gamma), metrics=METRICS)
    assert_equal_routes(comparison.base)
    assert_equal_routes(comparison.variants[0])
    assert comparison.base.result("cio").total != comparison.variants[0].result("cio").total


@pytest.mark.parametrize(("fusion", "gamma"), [*itertools.product(["first", "last"], [0.25, 0.5, 0.75])])
@pytest.mark.parametrize("name", ["densenet121", "resnet50", "darknet53", "seresnet50"])
def test_the_other_fusions(name: str, fusion: str, gamma: float) -> None:
    comparison = compare(name, csp=Csp(gamma=gamma, fusion=fusion), metrics=METRICS)
    assert_equal_routes(comparison.variants[0])


@pytest.mark.parametrize("name", ["cspdarknet53", "cspresnet50", "cspresnext50", "vovnet39", "vovnet57"])
def test_built_in_networks_without_twins(name: str) -> None:
    assert_equal_routes(analyze(name, metrics=METRICS))


@pytest.mark.parametrize("name", ["timm:resnet50", "timm:densenet121", "timm:darknet53", "timm:cspresnet50"])
def test_timms_own(timm: object, name: str) -> None:
    assert_equal_routes(analyze(name, metrics=METRICS))
