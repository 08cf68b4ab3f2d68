"""From options to output, the same for every command that looks at a network."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.options import NetworkOptions
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import IncompleteError

if TYPE_CHECKING:
    from cspanalyze.pipeline import Csp
    from cspanalyze.results import Record
    from cspanalyze.sources import Request


def show(
    options: NetworkOptions, metrics: Sequence[str], check: Callable[[Record], None] = lambda record: None
) -> None:
    """Analyse the network that the options name, or compare it with its twin, and write the result.

    Everything that can be refused early is refused before torch is imported. `check` may refuse the finished record.

    Raises:
        CspanalyzeError: the options, the network or the output are off; IncompleteError under `--strict`.
    """
    options.check()
    target = destination(options)
    request = request_of(options)
    # What a user's file prints must not end up in the middle of a JSON document.
    with contextlib.redirect_stdout(sys.stderr), waiting(f"analysing {options.model}"):
        record = _record(options, request, metrics)
        check(record)
    write(record, options, target)


def write(record: Record, options: NetworkOptions, target: Destination) -> None:
    """Render the record as the options say.

    Raises:
        IncompleteError: under `--strict`, if an operation has no formula.
    """
    from cspanalyze.renderers import Layout, render

    layout = Layout(tree=options.by == "module", fold=not options.unfold, top=options.top)
    target.write(render(record, target.format, target.style, layout))
    if options.strict:
        _refuse_gaps(record)


def _record(options: NetworkOptions, request: Request, metrics: Sequence[str]) -> Record:
    from cspanalyze.pipeline import analyze, compare

    if options.csp:
        return compare(request, csp=csp_of(options), metrics=metrics, by=options.by, depth=options.depth)
    return analyze(request, metrics=metrics, by=options.by, depth=options.depth)


def request_of(options: NetworkOptions) -> Request:
    """The network and input that the options name; refuses what can be refused before torch is imported."""
    from cspanalyze.sources import Request, check, parse_arguments, parse_inputs

    request = Request(
        model=options.model,
        arguments=parse_arguments(options.arg or ()),
        inputs=parse_inputs(tuple(options.input or ())),
        input_from=options.input_from,
        batch=options.batch,
        dtype=options.dtype or "",
    )
    check(request)
    return request


def csp_of(options: NetworkOptions) -> Csp:
    """How the options want the twin made."""
    from cspanalyze.pipeline import Csp

    given = {
        "gamma": options.gamma,
        "fusion": options.fusion,
        "preset": options.preset,
        "inner": options.inner,
        "init": options.init,
        "control": options.control,
        "stages": tuple(part.strip() for part in options.stages.split(",") if part.strip()) or None,
    }
    return Csp(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def _refuse_gaps(record: Record) -> None:
    from cspanalyze.renderers.layout import shown
    from cspanalyze.renderers.tabulation import reports

    missing = {gap.op for report in reports(record) for result in shown(report) for gap in result.uncovered}
    if missing:
        raise IncompleteError(f"the totals leave out operations without a formula: {', '.join(sorted(missing))}")
