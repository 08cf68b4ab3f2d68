"""Proves a twin by a trace: it runs, makes what its original makes, and has the parts that it says it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from cspanalyze.csp.stage import CSPStage
from cspanalyze.errors import CspError, TraceError
from cspanalyze.graph import ModelGraph
from cspanalyze.tracing import trace


def verify(twin: nn.Module, original: ModelGraph, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ModelGraph:
    """Trace the twin on the inputs of the original's trace; returns its graph.

    Raises:
        CspError: it does not run, makes other shapes, or a stage's parts have not the widths that it states.
    """
    try:
        graph = trace(twin, *args, kwargs=kwargs)
    except TraceError as error:
        raise CspError(f"the twin does not run: {error}") from error
    before, after = ([one.spec(value).shape for value in one.outputs] for one in (original, graph))
    if before != after:
        raise CspError(f"the twin makes {after} where the network makes {before}")
    for problem in _misfits(twin, graph):
        raise CspError(f"the twin is wrong: {problem}")
    return graph


def _misfits(twin: nn.Module, graph: ModelGraph) -> Iterator[str]:
    """Stages whose parts have other widths in the trace than they state."""
    for path, stage in twin.named_modules():
        if not isinstance(stage, CSPStage):
            continue
        for name, width, ends in (("part1", stage.c1, "outputs"), ("part2", stage.c2, "inputs")):
            calls = graph.calls_of(f"{path}.{name}") if width else []
            found = [graph.spec(value).shape[1] for call in calls for value in getattr(call, ends)]
            if width and found != [width] * max(1, len(found)):
                yield f"{name} of stage {path} has {found or 'no'} channels, not {width}"
