"""ModelGraph -> Result: pure functions, registered by the name of their metric. torch is not imported here."""

from __future__ import annotations

from collections.abc import Iterable

from cspanalyze.analyses import (  # noqa: F401  (each registers its analyses)
    compute,
    convolutional_io,
    memory,
    operations,
    traffic,
    training,
    weights,
)
from cspanalyze.analyses.closed_forms import cio_closed_form
from cspanalyze.analyses.grouping import By, Grouping
from cspanalyze.analyses.registry import ANALYSES, analysis
from cspanalyze.analyses.view import View
from cspanalyze.errors import UsageError
from cspanalyze.garbage import young_collections_only
from cspanalyze.graph import ModelGraph
from cspanalyze.plugins import load_plugins
from cspanalyze.results import Result

CLOSED_FORM = "cio_closed_form"


def run(graph: ModelGraph, metrics: Iterable[str], grouping: Grouping) -> tuple[Result, ...]:
    """The named results of one graph, in the order asked for.

    `cio_closed_form` is left out where the network declares no stages of a known kind, or the grouping is not by stage.

    Raises:
        UsageError: an unknown metric.
    """
    load_plugins()
    view = View(graph, grouping)
    metrics = (metrics,) if isinstance(metrics, str) else metrics
    with young_collections_only():
        return tuple([result for metric in metrics for result in _of_metric(view, metric)])


def _of_metric(view: View, metric: str) -> list[Result]:
    graph = view.graph
    if metric == CLOSED_FORM:
        shape = graph.spec(graph.inputs[0]).shape if graph.inputs else ()
        known = graph.plan is not None and any(stage.parts is not None for stage in graph.plan.stages)
        if graph.plan is None or not known or view.grouping.by != "stage" or len(shape) != 4:
            return []
        return [cio_closed_form(graph.plan, shape)]
    if metric not in ANALYSES:
        raise UsageError(f"unknown metric {metric!r}; known are {', '.join(sorted([*ANALYSES, CLOSED_FORM]))}")
    return [ANALYSES[metric](view)]


__all__ = ["ANALYSES", "CLOSED_FORM", "By", "Grouping", "View", "analysis", "run"]
