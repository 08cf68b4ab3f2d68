"""Fixtures that several rooms use."""

from __future__ import annotations

import warnings
from types import ModuleType

import pytest


def _import_peer(name: str) -> ModuleType:
    """Import torchvision or timm as the package itself does."""
    from cspanalyze.sources.torchvision_import import with_torchvision

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: ModuleType = with_torchvision(lambda: pytest.importorskip(name))
    return module


@pytest.fixture(scope="session")
def torchvision_models() -> ModuleType:
    """`torchvision.models`; the test is skipped where torchvision is not installed."""
    return _import_peer("torchvision.models")


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    """`timm`; the test is skipped where it is not installed."""
    return _import_peer("timm")
