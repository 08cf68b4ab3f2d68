"""Parameters, fvcore-convention MACs and activations of 122 timm networks, to the digits of timm's published tables."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch

from cspanalyze import trace
from cspanalyze.analyses import Grouping, run
from cspanalyze.tracing import building

SAMPLE = Path(__file__).parents[1] / "reference" / "timm_sample.csv"
ROWS = {row["model"]: row for row in csv.DictReader(SAMPLE.read_text().splitlines())}

# Their rows are of the network with parallel branches merged into one convolution (RepVGG), or with every norm merged
# into the convolution or linear layer before it (LeViT, EfficientViT), as timm's benchmark does before it counts.
MERGED = {"repvgg_b0", "repvgg_b1", "levit_512_s8", "levit_conv_512_s8", "efficientvit_m5"}

COLUMNS = {
    "params": ("published_params_M", 1e6),
    "flops_fvcore": ("published_gmacs_fvcore_convention", 1e9),
    "activations": ("published_macts_M", 1e6),
}


@dataclass(frozen=True)
class Deviation:
    """`amount` more in our count than in the published one, and the cause."""

    amount: int
    cause: str


EXCEPTIONS = {
    # 144 channels x 256 x 256 positions = 9,437,184 (907.4926 against the printed 907.48).
    ("sam2_hiera_large", "flops_fvcore"): Deviation(
        144 * 256 * 256, "we count an up-sampled element once in every mode, fvcore knows no bicubic interpolation"
    ),
    # 12 blocks x 2 axes x 196 positions x 12 heads x 32 frequencies = 1,806,336 (23.8955 against the printed 25.70).
    ("vit_base_patch16_rope_mixed_224", "activations"): Deviation(
        -12 * 2 * 196 * 12 * 32,
        "the table's timm made the angles of the rotary embedding with a matrix product, timm 1.0.31 multiplies",
    ),
}


@pytest.fixture(scope="module")
def counts(timm: ModuleType) -> dict[str, dict[str, int]]:
    from timm.utils.model import reparameterize_model

    found = {}
    for name, row in ROWS.items():
        with building():
            model = timm.create_model(name)
            if name in MERGED:
                model = reparameterize_model(model)
        size = int(row["image_size"])
        graph = trace(model, torch.empty(1, 3, size, size, device="meta"))
        results = run(graph, COLUMNS, Grouping.of(graph, "op"))
        found[name] = {result.metric: result.total for result in results}
    return found


@pytest.mark.parametrize("metric", COLUMNS)
def test_equal_to_the_printed_digits(counts, metric) -> None:
    column, scale = COLUMNS[metric]
    unequal = {}
    for name, row in ROWS.items():
        deviation = EXCEPTIONS.get((name, metric))
        corrected = counts[name][metric] - (deviation.amount if deviation else 0)
        printed = f"{float(row[column]):.2f}"
        if f"{corrected / scale:.2f}" != printed:
            unequal[name] = (corrected / scale, printed)
    assert not unequal


@pytest.mark.parametrize(("name", "metric"), EXCEPTIONS)
def test_exceptions_are_exceptions(counts, name, metric) -> None:
    """An entry that is no longer needed must go."""
    column, scale = COLUMNS[metric]
    assert f"{counts[name][metric] / scale:.2f}" != f"{float(ROWS[name][column]):.2f}", EXCEPTIONS[name, metric].cause


def test_parameters_have_no_exceptions() -> None:
    assert len(ROWS) == 122
    assert all(metric != "params" for _, metric in EXCEPTIONS)
