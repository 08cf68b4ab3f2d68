"""Where a PyTorch network spends its compute and memory traffic, and what its CSP twin would save.

The public names are loaded on first use, so `import cspanalyze` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cspanalyze.analyses import analysis as register_analysis
    from cspanalyze.api import draw, latency, plot, read, report, schematic, simulate_traffic, sweep
    from cspanalyze.costs import formula as register_formula
    from cspanalyze.csp import register_csp_adapter, to_csp
    from cspanalyze.designs import Designs
    from cspanalyze.errors import CspanalyzeError
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline import analyze, compare
    from cspanalyze.pipeline.checking import check
    from cspanalyze.pipeline.contrasting import contrast
    from cspanalyze.pipeline.counting import count
    from cspanalyze.pipeline.gradient_measurement import Measuring, measure_gradients
    from cspanalyze.pipeline.gradients import gradients
    from cspanalyze.pipeline.networks import Csp
    from cspanalyze.pipeline.publication import publication as paper
    from cspanalyze.pipeline.staging import list_stages as stages
    from cspanalyze.pipeline.traffic import Traffic
    from cspanalyze.renderers.registry import renderer as register_renderer
    from cspanalyze.results import Comparison, Report, Result, Row
    from cspanalyze.sources import Source, register_source
    from cspanalyze.tracing import trace

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "Csp",
    "CspanalyzeError",
    "Designs",
    "Measuring",
    "ModelGraph",
    "Report",
    "Result",
    "Row",
    "Source",
    "Traffic",
    "__version__",
    "analyze",
    "check",
    "compare",
    "contrast",
    "count",
    "draw",
    "gradients",
    "latency",
    "measure_gradients",
    "paper",
    "plot",
    "read",
    "register_analysis",
    "register_csp_adapter",
    "register_formula",
    "register_renderer",
    "register_source",
    "report",
    "schematic",
    "simulate_traffic",
    "stages",
    "sweep",
    "to_csp",
    "trace",
]

_HOMES = {
    "Comparison": ("cspanalyze.results", "Comparison"),
    "Csp": ("cspanalyze.pipeline.networks", "Csp"),
    "CspanalyzeError": ("cspanalyze.errors", "CspanalyzeError"),
    "Designs": ("cspanalyze.designs", "Designs"),
    "Measuring": ("cspanalyze.pipeline.gradient_measurement", "Measuring"),
    "ModelGraph": ("cspanalyze.graph", "ModelGraph"),
    "Report": ("cspanalyze.results", "Report"),
    "Result": ("cspanalyze.results", "Result"),
    "Row": ("cspanalyze.results", "Row"),
    "Source": ("cspanalyze.sources", "Source"),
    "Traffic": ("cspanalyze.pipeline.traffic", "Traffic"),
    "analyze": ("cspanalyze.pipeline", "analyze"),
    "check": ("cspanalyze.pipeline.checking", "check"),
    "compare": ("cspanalyze.pipeline", "compare"),
    "contrast": ("cspanalyze.pipeline.contrasting", "contrast"),
    "count": ("cspanalyze.pipeline.counting", "count"),
    "draw": ("cspanalyze.api", "draw"),
    "gradients": ("cspanalyze.pipeline.gradients", "gradients"),
    "latency": ("cspanalyze.api", "latency"),
    "measure_gradients": ("cspanalyze.pipeline.gradient_measurement", "measure_gradients"),
    "paper": ("cspanalyze.pipeline.publication", "publication"),
    "plot": ("cspanalyze.api", "plot"),
    "read": ("cspanalyze.api", "read"),
    "register_analysis": ("cspanalyze.analyses", "analysis"),
    "register_csp_adapter": ("cspanalyze.csp", "register_csp_adapter"),
    "register_formula": ("cspanalyze.costs", "formula"),
    "register_renderer": ("cspanalyze.renderers.registry", "renderer"),
    "register_source": ("cspanalyze.sources", "register_source"),
    "report": ("cspanalyze.api", "report"),
    "schematic": ("cspanalyze.api", "schematic"),
    "simulate_traffic": ("cspanalyze.api", "simulate_traffic"),
    "stages": ("cspanalyze.pipeline.staging", "list_stages"),
    "sweep": ("cspanalyze.api", "sweep"),
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
