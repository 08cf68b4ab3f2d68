"""A network beside figures that were saved: has it grown? No torch at import."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import IncompleteError, UsageError
from cspanalyze.limits import Check, Limit, judged, parse_limit
from cspanalyze.pipeline.analysis import OVERVIEW, analyze
from cspanalyze.results import Report
from cspanalyze.saved import read_saved
from cspanalyze.sources import Request, parse_inputs

if TYPE_CHECKING:
    from cspanalyze.pipeline.networks import Network


def check(
    model: Network,
    *inputs: Any,
    against: Report | str | PathLike[str],
    limits: Mapping[str, str] | Sequence[Limit] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Check:
    """Compare the totals of a network with those of a baseline.

    Args:
        model, inputs, kwargs: as for `analyze`; a network that is named takes the baseline's input.
        against: the baseline: a report of one network, or a JSON file that holds one (`.save("baseline.json")`).
        limits: how much each metric may be, `{"macs": "+2%", "params": "+0"}`: more than the baseline has, or without
            a sign in all (`5G`). Without limits no metric of the baseline may grow.

    Raises:
        UsageError: the baseline is no report of one network, or is one of other inputs; a limit cannot be read.
        IncompleteError: the network has operations without a formula that the baseline does not have.

    >>> baseline = analyze("resnet18", metrics=("macs", "params"))
    >>> check("resnet18", against=baseline, limits={"macs": "+2%"}).kept
    True
    """
    baseline = against if isinstance(against, Report) else baseline_in(Path(os.fspath(against)))
    if isinstance(limits, Mapping):
        limits = tuple(parse_limit(f"{metric}={most}") for metric, most in limits.items())
    limits = tuple(limits) or _unchanged(baseline)
    named = Request(model) if isinstance(model, str) else model
    if isinstance(named, Request) and not (named.inputs or named.input_from or named.batch):
        named = replace(named, inputs=parse_inputs(baseline.subject.inputs))
    now = analyze(named, *inputs, kwargs=kwargs, metrics=tuple(dict.fromkeys(each.metric for each in limits)))
    if now.subject.inputs != baseline.subject.inputs:
        raise UsageError(
            f"the baseline is of input {', '.join(baseline.subject.inputs)}, this is of {', '.join(now.subject.inputs)}"
        )
    _refuse_new_gaps(baseline, now)
    return judged(baseline, now, limits)


def baseline_of(model: Network, limits: Sequence[Limit]) -> Report:
    """The report to be saved as a baseline: the usual metrics, and those that are limited."""
    return analyze(model, metrics=tuple(dict.fromkeys((*OVERVIEW, *(each.metric for each in limits)))))


def baseline_in(path: Path) -> Report:
    """The baseline in a file.

    Raises:
        UsageError: it holds no report of one network.
    """
    saved = read_saved(path)
    if not isinstance(saved, Report):
        raise UsageError(f"{path} is no baseline: expected the run of one network, as --update writes it")
    return saved


def _unchanged(baseline: Report) -> tuple[Limit, ...]:
    return tuple(Limit(each.metric, "+0") for each in baseline.results if each.total is not None)


def _refuse_new_gaps(baseline: Report, now: Report) -> None:
    """A network whose new operations are not counted would seem to have shrunk."""
    known = {gap.op for result in baseline.results for gap in result.uncovered}
    found = {gap.op for result in now.results for gap in result.uncovered}
    if new := sorted(found - known):
        raise IncompleteError(
            f"the totals leave out operations that the baseline does not have, without a formula: {', '.join(new)}"
        )
