"""Our own counts as an engine's entries."""

from __future__ import annotations

from cspanalyze import __version__
from cspanalyze.costs import cost_of
from cspanalyze.graph import ModelGraph
from cspanalyze.measure.counts import Entry


def count(graph: ModelGraph) -> list[Entry]:
    """MACs of every operation of the forward pass that has any."""
    entries = []
    for op in graph.ops:
        cost = cost_of(op, graph) if op.phase == "forward" else None
        if cost is not None and cost.macs:
            entries.append(Entry(op.module, op.name, cost.kind, cost.macs))
    return entries


def version() -> str:
    """Version of this package."""
    return __version__
