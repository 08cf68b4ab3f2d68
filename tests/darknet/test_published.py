"""The built-in network files against the counts that their authors published, by two routes: plan and trace."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest
import torch

from cspanalyze import trace, zoo
from cspanalyze.analyses import Grouping, run
from cspanalyze.analyses import weights as _weights  # noqa: F401  (registers the analysis)
from cspanalyze.darknet import Count, count_plan

REFERENCE = Path(__file__).parents[1] / "reference" / "published_counts.csv"
NAMES = {
    "DarkNet-53": "darknet53",
    "CSPDarkNet-53": "cspdarknet53",
    "CSPDarkNet-53-Elastic": "cspdarknet53-elastic",
    "ResNet-50": "resnet50",
    "CSPResNet-50": "cspresnet50",
    "CSPResNet-50-Elastic": "cspresnet50-elastic",
    "ResNeXt-50": "resnext50",
    "CSPResNeXt-50": "cspresnext50",
    "CSPResNeXt-50-Elastic": "cspresnext50-elastic",
    "Res2NetLite-72": "res2netlite72",
    "EfficientNet-B0* (darknet)": "efficientnet-b0",
    "MobileNet-v2": "mobilenetv2",
    "CSPMobileNet-v2": "cspmobilenetv2",
    "Darknet Ref.": "darknet-ref",
    "ResNet-10": "resnet10",
    "YOLOv3-tiny": "yolov3-tiny",
    "YOLOv3-tiny-PRN": "yolov3-tiny-prn",
    "DenseNet-201 (Darknet definition)": "densenet201",
    "YOLOv3-SPP": "yolov3-spp",
    "CSPResNeXt50c-YOLO-SPP": "cspresnext50c-yolo-spp",
    "CSPDarknet53-YOLO-SPP": "cspdarknet53-yolo-spp",
    "CSPResNeXt50-PANet-SPP": "cspresnext50-panet-spp",
    "CSPResNeXt50c-PANet-SPP": "cspresnext50c-panet-spp",
    "CSPResNet50c-PANet-SPP": "cspresnet50c-panet-spp",
    "CSPDarknet53s-PANet-SPP": "cspdarknet53s-panet-spp",
    "CSPDarknet53m-PANet-SPP": "cspdarknet53m-panet-spp",
}
"""The publication's name of each network that has an exact definition."""
ELSEWHERE = {"PeleeNet", "ResNeXt-50 CIO", "CSPResNeXt-50 CIO"}
"""Exact rows that are no network of this family, or one of it under another rule (below)."""

with REFERENCE.open(newline="") as stream:
    ROWS = [row for row in csv.DictReader(stream) if row["exact_definition_known"] == "yes"]
COUNTED = [pytest.param(row, id=f"{row['model']}@{row['input']}") for row in ROWS if row["model"] in NAMES]


@cache
def _counts(name: str, side: int) -> tuple[Count, dict[str, int]]:
    """By the plan and by the trace."""
    with torch.device("meta"):
        network = zoo.create(f"darknet/{name}", side=side).eval()
    graph = trace(network, torch.empty(1, 3, side, side, device="meta"))
    metrics = ["weights", "params_trainable", "macs", "flops_darknet", "cio_pool"]
    results = run(graph, metrics, Grouping.of(graph))
    assert not any(result.uncovered for result in results)
    return count_plan(network.plan), {result.metric: result.total for result in results}


def test_every_exact_row_is_checked() -> None:
    assert {row["model"] for row in ROWS} == set(NAMES) | ELSEWHERE
    built = {name.removeprefix("darknet/") for name in zoo.names() if name.startswith("darknet/")}
    assert built - set(NAMES.values()) == {"resnet101", "resnet152", "cspresnet10"}


@pytest.mark.parametrize("row", COUNTED)
def test_published_counts(row: dict[str, str]) -> None:
    plan, traced = _counts(NAMES[row["model"]], int(row["input"]))
    assert plan.kernel_elements == traced["weights"]
    assert plan.parameters == traced["params_trainable"]
    assert plan.macs == traced["macs"]
    assert plan.darknet_flops == traced["flops_darknet"]
    if row["conv_and_classifier_weights"]:
        assert traced["weights"] == int(row["conv_and_classifier_weights"])
        assert traced["params_trainable"] == int(row["trainable_params"])
        assert f"{2 * traced['macs'] / 1e9:.4f}" == row["bflops_conv"]
        assert f"{traced['flops_darknet'] / 1e9:.4f}" == row["bflops_conv_maxpool"]
    else:
        assert f"{traced['weights'] / 1e6:.3f}" == row["published_params_M"]
        digits = len(row["published_bflops"].partition(".")[2])
        assert f"{traced['flops_darknet'] / 1e9:.{digits}f}" == row["published_bflops"]


@pytest.mark.parametrize(("model", "name"), [("ResNeXt-50 CIO", "resnext50"), ("CSPResNeXt-50 CIO", "cspresnext50")])
def test_published_cio(model: str, name: str) -> None:
    """Figure 8 of arXiv 1911.11929: inputs and outputs of convolutions and pools."""
    (row,) = (row for row in ROWS if row["model"] == model)
    plan, traced = _counts(name, int(row["input"]))
    assert plan.cio_elements + plan.pool_io_elements == traced["cio_pool"]
    assert f"{traced['cio_pool'] / 1e6:.1f}" == row["published_cio_M"]


@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov3-tiny-prn"])
def test_pool_io_of_a_padded_map(name: str) -> None:
    """The last pool, 2x2/1 of 512 channels, reads a copy of 14x14 with one padded row and column in the trace."""
    plan, traced = _counts(name, 416)
    assert traced["cio_pool"] - plan.cio_elements - plan.pool_io_elements == 512 * (14 * 14 - 13 * 13)


@pytest.mark.parametrize(("name", "darknet_flops"), [("resnet101", 19.7), ("resnet152", 29.4)])
def test_resnets_without_a_published_count(name: str, darknet_flops: float) -> None:
    """Darknet's site prints 19.7 and 29.4 for files whose classifier works on the 8x8 map, before the mean."""
    plan, traced = _counts(name, 256)
    assert plan.darknet_flops == traced["flops_darknet"]
    before_the_mean = 2 * 2048 * 1000 * (8 * 8 - 1)
    assert round((plan.darknet_flops + before_the_mean) / 1e9, 1) == darknet_flops
