"""Fixtures that several rooms use."""

from __future__ import annotations

import warnings
from types import ModuleType

import pytest

_declared: list[object] = []  # A torch.library.Library withdraws its operators when it is collected.


def _import_peer(name: str) -> ModuleType:
    """Import torchvision, or timm, which imports it, beside a torch build that lacks its compiled operators.

    torchvision registers shape functions for `nms` on import and fails where the operator has no schema.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module: ModuleType = pytest.importorskip(name)
            return module
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
        # Declared only after the import failed: where the compiled operators load, a second schema is an error.
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
        _declared.append(library)
        module = pytest.importorskip(name)
    return module


@pytest.fixture(scope="session")
def torchvision_models() -> ModuleType:
    """`torchvision.models`; the test is skipped where torchvision is not installed."""
    return _import_peer("torchvision.models")


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    """`timm`; the test is skipped where it is not installed."""
    return _import_peer("timm")
