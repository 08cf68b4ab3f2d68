"""torchvision's detectors, counted on one real input, against the figures that torchvision publishes."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cspanalyze.pipeline import analyze
from cspanalyze.results import Report
from cspanalyze.sources import Request
from cspanalyze.sources.torchvision_kernels import nms, roi_align

NETWORKS = (
    "ssdlite320_mobilenet_v3_large", "ssd300_vgg16", "retinanet_resnet50_fpn", "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn", "maskrcnn_resnet50_fpn",
)  # fmt: skip
# These spend work on each region that the weights propose, and the weights are random here.
REGIONAL = {
    # 1000 regions through two linear layers and two predictors: (7 x 7 x 256 x 1024 + 1024 x 1024 + 1024 x 5 x 91)
    "maskrcnn_resnet50_fpn": 1000 * (7 * 7 * 256 * 1024 + 1024 * 1024 + 1024 * 5 * 91),
    # The published count was taken with weights that propose nothing for noise.
    "fasterrcnn_mobilenet_v3_large_320_fpn": 0,
}


@pytest.fixture(scope="module")
def published(torchvision_models: ModuleType) -> Any:
    """Name -> what torchvision says of the network's default weights."""
    return lambda name: torchvision_models.get_model_weights(name).DEFAULT.meta


@pytest.mark.parametrize("name", NETWORKS)
def test_a_detector_has_its_published_count(published: Any, name: str) -> None:
    report = analyze(Request(f"torchvision:{name}"), metrics=["macs", "params"], by="module", depth=1)
    assert report.subject.method == "real input"
    assert report.result("params").total == published(name)["num_params"]
    macs = report.result("macs").total
    if name in REGIONAL:
        before = sum(report.result("macs").of(part) or 0 for part in ("backbone", "rpn"))
        macs = before + REGIONAL[name]
        assert "how many regions and detections there are depends on" in report.subject.notes[0]
    assert round(float(macs or 0) / 1e9, 3) == published(name)["_ops"]


def test_a_detector_is_counted_on_the_same_input_every_time(torchvision_models: ModuleType) -> None:
    def macs() -> Report:
        return analyze("torchvision:fasterrcnn_mobilenet_v3_large_320_fpn", metrics=["macs"], by="module")

    assert macs() == macs()


def _iou(one: Tensor, other: Tensor) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(float(width), 0.0) * max(float(height), 0.0)
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return common / (sum(areas) - common)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_nms_keeps_what_no_better_box_overlaps(threshold: float) -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(60, 2, generator=generator) * 8
    boxes = torch.cat([corners, corners + 1 + 4 * torch.rand(60, 2, generator=generator)], 1)
    scores = torch.rand(60, generator=generator)
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        if all(_iou(boxes[index], boxes[better]) <= threshold for better in kept):
            kept.append(index)
    assert nms(boxes, scores, threshold).tolist() == kept
    assert 1 < len(kept) < 60 or threshold == 0.9


def test_nms_of_nothing() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


def _sampled(features: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """Bilinear samples by `grid_sample`: another route to the same numbers, inside the map."""
    height, width = features.shape[-2:]
    y, x = torch.meshgrid((2 * ys + 1) / height - 1, (2 * xs + 1) / width - 1, indexing="ij")
    grid = torch.stack([x, y], -1)[None]
    return functional.grid_sample(features[None], grid, align_corners=False, padding_mode="border")[0]


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [2, 3, 0])
def test_roi_align_is_the_mean_of_bilinear_samples(aligned: bool, ratio: int) -> None:
    features = torch.rand(2, 4, 12, 20, generator=torch.Generator().manual_seed(0))
    corners = (3.0, 2.0, 33.0, 19.0)
    pooled = roi_align(features, torch.tensor([[1.0, *corners]]), 0.5, 3, 5, ratio, aligned)[0]
    x1, y1, x2, y2 = (corner / 2 - (0.5 if aligned else 0) for corner in corners)
    rows, columns = (ratio, ratio) if ratio else (3, 3)  # the bins are 8.5 / 3 and 15 / 5 pixels long
    ys = y1 + (torch.arange(3 * rows) + 0.5) * (y2 - y1) / (3 * rows)
    xs = x1 + (torch.arange(5 * columns) + 0.5) * (x2 - x1) / (5 * columns)
    expected = functional.avg_pool2d(_sampled(features[1], ys, xs)[None], (rows, columns))[0]
    torch.testing.assert_close(pooled, expected)


def test_roi_align_at_and_beyond_the_border() -> None:
    features = torch.ones(1, 1, 4, 4)
    rois = torch.tensor([[0.0, -8.0, -8.0, -4.0, -4.0], [0.0, 0.0, 0.0, 4.0, 4.0], [0.0, 1.0, 1.0, 1.0, 1.0]])
    outside, whole, point = roi_align(features, rois, 1.0, 2, 2, 2, False)
    assert outside.abs().sum() == 0
    torch.testing.assert_close(whole, torch.ones(1, 2, 2))
    torch.testing.assert_close(point, torch.ones(1, 2, 2))


def test_stand_ins_are_registered_only_where_the_operators_are_missing() -> None:
    """Where torchvision is whole, `nms` is there before anything is declared: nothing of it may be replaced."""
    code = (
        "import torch\n"
        "library = torch.library.Library('torchvision', 'DEF')\n"
        "library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')\n"
        "library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')\n"
        "from cspanalyze.sources import torchvision_import\n"
        "torchvision_import.with_torchvision(lambda: __import__('torchvision'))\n"
        "import torchvision.extension\n"
        "print(len(torchvision_import._declared), torchvision.extension._has_ops is torchvision_import._true)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
