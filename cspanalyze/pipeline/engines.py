"""One network counted by several programs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cspanalyze.pipeline.networks import loaded_of, subject_of, traced_of
from cspanalyze.results import Report

if TYPE_CHECKING:
    from cspanalyze.pipeline.networks import Network


def count_side_by_side(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    engines: Sequence[str] = (),
) -> Report:
    """MACs by this package's formulas and by other programs, run on copies, and why they differ.

    The groups of the report are the engines, ours first. Its results are `engine_macs`, `engine_difference` (percent of
    our count; unknown where an engine cannot run, and the note says why) and `engine_reasons` (one row for an engine
    and a reason, in MACs, larger reasons first; those of an engine add up to its difference).

    Args:
        model: as for `analyze`.
        inputs: positional inputs of a module.
        kwargs: its keyword inputs.
        engines: names from `cspanalyze.measure.ENGINES`; all of them by default.

    Raises:
        CspanalyzeError: an unknown engine, or the network cannot be built or traced.
    """
    from cspanalyze.measure import ENGINES, count_with_engines, engine_results

    traced = traced_of(loaded_of(model, inputs, kwargs))
    loaded, graph = traced.loaded, traced.graph
    counts = count_with_engines(
        loaded.model, loaded.args, loaded.kwargs, graph=graph, engines=tuple(engines) or tuple(ENGINES)
    )
    ran = tuple((f"{count.engine} (engine)", count.version) for count in counts[1:] if count.version)
    subject = subject_of(traced)
    subject = replace(subject, versions=(*subject.versions, *ran))
    return Report(subject, tuple(count.engine for count in counts), engine_results(counts))
