"""Import torchvision, and whatever imports it, beside a torch build for which its compiled operators do not load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_SYMPTOM = "operator torchvision::nms does not exist"
_declared: list[Any] = []  # torch withdraws the operators of a Library that is collected


def with_torchvision(importing: Callable[[], T]) -> T:
    """Call `importing`; if torchvision's missing operators make it fail, declare them and call it again.

    The torchvision of the package index is linked against the CUDA build of torch. Beside a CPU build its extension
    does not load, and importing it fails because it registers a meta function for an operator without a schema. The
    two schemas are enough to build and trace every classification network; running `nms` itself is impossible still.
    Declared only after that failure: where the extension loads, a second schema would be an error.
    """
    try:
        return importing()
    except RuntimeError as error:
        if _SYMPTOM not in str(error) or _declared:
            raise
    _declare()
    return importing()


def _declare() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _declared.append(library)
    for operator in ("nms", "qnms"):
        schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
