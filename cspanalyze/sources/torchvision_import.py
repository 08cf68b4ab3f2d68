"""Import torchvision, and whatever imports it, beside a torch build for which its compiled operators do not load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_SYMPTOM = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
)
_declared: list[Any] = []  # torch withdraws the operators of a Library that is collected


def with_torchvision(importing: Callable[[], T]) -> T:
    """Call `importing`; if torchvision's missing operators make it fail, stand in for them and call it again.

    The torchvision of the package index is linked against the CUDA build of torch. Beside a CPU build its extension
    does not load, and importing it fails because it registers a meta function for an operator without a schema. The
    schemas are enough to build and trace every network but the detectors; those run `nms` and `roi_align`, for which
    kernels in plain torch are registered. Only after that failure: where the extension loads, torch would refuse a
    second schema, and its own kernels are the right ones.
    """
    try:
        return importing()
    except RuntimeError as error:
        if _SYMPTOM not in str(error) or _declared:
            raise
    _declare()
    try:
        return importing()
    finally:
        _admit_operators()


def _declare() -> None:
    import torch

    from cspanalyze.sources.torchvision_kernels import nms, roi_align

    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _declared.append(library)
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    for name, kernel in (("nms", nms), ("roi_align", roi_align)):
        library.impl(name, kernel, "CPU")  # type: ignore[no-untyped-call]


def _admit_operators() -> None:
    """Let torchvision's own check pass (`_has_ops`, which `_assert_has_ops` asks): it says that no operator is there.

    This is not the whole truth: of its compiled operators only the two that the detectors need are there now; any
    other one still fails, with torch's message that it does not exist. And it must be after the import, during which
    torchvision registers gradients and meta functions for all of them if the check passes. Every module that has
    taken the function over by name gets the new one.
    """
    extension = sys.modules.get("torchvision.extension")
    if extension is None:  # the import failed for another reason
        return
    missing = extension._has_ops
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "torchvision" and vars(module).get("_has_ops") is missing:
            module._has_ops = _true  # type: ignore[attr-defined]


def _true() -> bool:
    return True
