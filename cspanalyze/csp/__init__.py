"""The CSP transform: any staged convolutional network -> its Cross Stage Partial twin, and what changed.

    twin = to_csp(model, gamma=0.5)
    twin.model, twin.changes

Importing this package does not import torch; its names do, when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cspanalyze.csp.blocks import register_csp_adapter
    from cspanalyze.csp.conversion import CspTwin
    from cspanalyze.csp.finding import Found, NoStage, find_stages, trace_stages
    from cspanalyze.csp.split import Split, split_channels
    from cspanalyze.csp.stage import CSPStage
    from cspanalyze.csp.transform import to_csp

__all__ = [
    "CSPStage",
    "CspTwin",
    "Found",
    "NoStage",
    "Split",
    "find_stages",
    "register_csp_adapter",
    "split_channels",
    "to_csp",
    "trace_stages",
]

_HOMES = {
    "CSPStage": "stage",
    "CspTwin": "conversion",
    "Found": "finding",
    "NoStage": "finding",
    "Split": "split",
    "find_stages": "finding",
    "trace_stages": "finding",
    "register_csp_adapter": "blocks",
    "split_channels": "split",
    "to_csp": "transform",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
