"""Preset dropin on networks of other people: the change of FLOPs at 224 x 224 is the one measured elsewhere.

`reference/csp_dropin.csv` was made with another library for channel dependencies (torch-pruning 1.6.1), on networks
with real weights; here labels are followed through our own trace, on the meta device.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from cspanalyze.csp import to_csp
from cspanalyze.pipeline import analyze
from cspanalyze.sources import load

ROWS = {
    row["model"].replace("tv:", "torchvision:").replace("timm:xception", "timm:legacy_xception"): row
    for row in csv.DictReader((Path(__file__).parents[1] / "reference" / "csp_dropin.csv").read_text().splitlines())
}
VARIANTS: dict[str, dict[str, Any]] = {
    "csp_g25": {"gamma": 0.25},
    "csp_g50": {},
    "csp_g75": {"gamma": 0.75},
    "first_g50": {"fusion": "first"},
    "last_g50": {"fusion": "last"},
    "csp_g50_inner_scale": {"inner": "scale"},
}


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
@pytest.mark.parametrize("name", ROWS)
def test_the_change_is_the_measured_one(name: str) -> None:
    row = ROWS[name]
    model, image = load(name).model, torch.empty(1, 3, 224, 224, device="meta")

    def figures(network: torch.nn.Module) -> tuple[float, float]:
        macs, params = (result.total or 0 for result in analyze(network, image, metrics=["macs", "params"]).results)
        return macs, params

    macs, params = figures(model)
    assert round(macs / 1e9, 3) == float(row["base_gmacs_224"])
    auxiliary = name == "torchvision:googlenet"  # counted there with heads that only training runs
    assert auxiliary or round(params / 1e6, 3) == float(row["base_params_M"])
    for variant, options in VARIANTS.items():
        if expected := row[f"dflops_pct_{variant}"]:
            twin = to_csp(model, image, preset="dropin", **options).model
            changes = [100 * (after / before - 1) for before, after in zip((macs, params), figures(twin), strict=True)]
            assert changes[0] == pytest.approx(float(expected), abs=0.1), variant
            if variant == "csp_g50" and not auxiliary:
                assert changes[1] == pytest.approx(float(row["dparams_pct_csp_g50"]), abs=0.1)
