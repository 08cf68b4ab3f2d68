"""Published counts: the authors' three networks as timm defines them, and drop-in CSP of timm's networks."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze.csp import to_csp

Count = Callable[[nn.Module], int]
Macs = Callable[[nn.Module, int], int]

REFERENCE = Path(__file__).parent.parent / "reference" / "csp_dropin.csv"
FAMILIES = ["resnet18", "resnet50", "resnet101", "seresnet50", "resnext50_32x4d", "darknet53"]
VARIANTS: dict[str, dict[str, Any]] = {
    "dflops_pct_csp_g25": {"gamma": 0.25},
    "dflops_pct_csp_g50": {},
    "dflops_pct_csp_g75": {"gamma": 0.75},
    "dflops_pct_first_g50": {"fusion": "first"},
    "dflops_pct_last_g50": {"fusion": "last"},
    "dflops_pct_csp_g50_inner_scale": {"inner": "scale"},
}


def _row(name: str) -> dict[str, str]:
    with REFERENCE.open() as file:
        return next(row for row in csv.DictReader(file) if row["model"] == f"timm:{name}")


@pytest.mark.parametrize("source", ["zoo", "timm"])
@pytest.mark.parametrize(
    ("name", "expected_params", "expected_gflops"),
    [
        ("resnet50", 21_616_168, 9.0345),
        ("resnext50_32x4d", 20_569_896, 8.0299),
        ("darknet53", 27_642_184, 13.0673),
    ],
)
def test_paper_counts(
    name: str,
    expected_params: int,
    expected_gflops: float,
    source: str,
    meta_zoo: Callable[[str], nn.Module],
    macs: Macs,
    params: Count,
    request: pytest.FixtureRequest,
) -> None:
    if source == "zoo":
        base = meta_zoo(name)
    else:
        with torch.device("meta"):
            base = request.getfixturevalue("timm").create_model(name)
    twin = to_csp(base, preset="paper").model
    assert params(twin) == expected_params
    assert round(2 * macs(twin, 256) / 1e9, 4) == expected_gflops


@pytest.mark.parametrize(
    ("gamma", "fusion", "change"),
    [(0.25, "csp", -1.0), (0.5, "csp", -15.4), (0.75, "csp", -27.4), (0.5, "first", -20.4)],
)
def test_paper_change_of_flops(
    gamma: float, fusion: Any, change: float, meta_zoo: Callable[[str], nn.Module], macs: Macs
) -> None:
    base = meta_zoo("resnet50")
    twin = to_csp(base, gamma=gamma, fusion=fusion, preset="paper").model
    assert round(100 * (macs(twin, 256) / macs(base, 256) - 1), 1) == change


def test_darknets_first_stage_is_not_narrowed(meta_zoo: Callable[[str], nn.Module]) -> None:
    for gamma in (0.25, 0.5, 0.75):
        first, second = to_csp(meta_zoo("darknet53"), gamma=gamma).changes[:2]
        assert (first.bypass_channels, first.block_channels, first.gamma_effective) == (64, 64, 0.5)
        assert second.gamma_effective == gamma
    last = to_csp(meta_zoo("darknet53"), fusion="last").changes[0]
    assert (last.bypass_channels, last.block_channels) == (32, 32)  # nothing would bring 64 + 64 back to 64


@pytest.mark.parametrize("name", FAMILIES)
def test_dropin_changes_of_timms_networks(name: str, timm: ModuleType, macs: Macs, params: Count) -> None:
    with torch.device("meta"):
        base = timm.create_model(name)
    row = _row(name)
    base_macs = macs(base, 224)
    assert abs(base_macs / 1e9 - float(row["base_gmacs_224"])) < 6e-4
    for column, options in VARIANTS.items():
        if row[column]:
            twin = to_csp(base, preset="dropin", **options).model
            assert 100 * (macs(twin, 224) / base_macs - 1) == pytest.approx(float(row[column]), abs=0.1), column
    twin = to_csp(base, preset="dropin").model
    assert 100 * (params(twin) / params(base) - 1) == pytest.approx(float(row["dparams_pct_csp_g50"]), abs=0.1)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("preset", ["paper", "dropin"])
def test_all_libraries_definitions_give_the_same_twin(
    name: str,
    preset: Any,
    meta_zoo: Callable[[str], nn.Module],
    params: Count,
    macs: Macs,
    request: pytest.FixtureRequest,
) -> None:
    ours = to_csp(meta_zoo(name), preset=preset).model
    with torch.device("meta"):
        peers = [request.getfixturevalue("timm").create_model(name)]
        if hasattr(request.getfixturevalue("torchvision_models"), name):
            peers.append(getattr(request.getfixturevalue("torchvision_models"), name)())
    for peer in peers:
        twin = to_csp(peer, preset=preset).model
        assert params(twin) == params(ours)
        assert macs(twin, 64) == macs(ours, 64)
