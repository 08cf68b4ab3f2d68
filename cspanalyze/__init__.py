"""Where a PyTorch network spends its compute and memory traffic, and what its CSP twin would save.

The public names are loaded on first use, so `import cspanalyze` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cspanalyze.costs import formula as register_formula
    from cspanalyze.csp import to_csp
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline import analyze, compare
    from cspanalyze.pipeline.contrasting import contrast
    from cspanalyze.pipeline.counting import count
    from cspanalyze.results import Comparison, Report, Result, Row
    from cspanalyze.tracing import trace

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "ModelGraph",
    "Report",
    "Result",
    "Row",
    "__version__",
    "analyze",
    "compare",
    "contrast",
    "count",
    "register_formula",
    "to_csp",
    "trace",
]

_HOMES = {
    "Comparison": ("cspanalyze.results", "Comparison"),
    "ModelGraph": ("cspanalyze.graph", "ModelGraph"),
    "Report": ("cspanalyze.results", "Report"),
    "Result": ("cspanalyze.results", "Result"),
    "Row": ("cspanalyze.results", "Row"),
    "analyze": ("cspanalyze.pipeline", "analyze"),
    "compare": ("cspanalyze.pipeline", "compare"),
    "contrast": ("cspanalyze.pipeline.contrasting", "contrast"),
    "count": ("cspanalyze.pipeline.counting", "count"),
    "register_formula": ("cspanalyze.costs", "formula"),
    "to_csp": ("cspanalyze.csp", "to_csp"),
    "trace": ("cspanalyze.tracing", "trace"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cspanalyze' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value  # next time without this function
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
