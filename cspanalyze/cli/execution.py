"""From options to output, the same for every command that looks at a network."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.options import FeedOptions, InputOptions, NetworkOptions, PartialOptions
from cspanalyze.cli.session import session
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import IncompleteError
from cspanalyze.results import Comparison, Report

if TYPE_CHECKING:
    from cspanalyze.pipeline import Csp
    from cspanalyze.pipeline.traffic import Traffic
    from cspanalyze.results import Record
    from cspanalyze.sources import Request


def show(
    options: NetworkOptions,
    metrics: Sequence[str],
    check: Callable[[Record], None] = lambda record: None,
    train: bool = False,
    traffic: Callable[[Request, Csp | None], Traffic] | None = None,
    curve: bool = False,
) -> None:
    """Analyse the network that the options name, or compare it with its twin, and write the result.

    Everything that can be refused early is refused before torch is imported. `check` may refuse the finished record;
    `train` traces a training step; `traffic` says how memory traffic is modelled, and `curve` shows all capacities.

    Raises:
        CspanalyzeError: the options, the network or the output are off; IncompleteError under `--strict`.
    """

    def made(request: Request) -> Record:
        modelled = traffic(request, csp_of(options) if options.csp else None) if traffic is not None else None
        record = _record(options, request, metrics, train, modelled)
        check(record)
        return record

    record = show_record(options, made, curve)
    if options.strict:
        refuse_gaps(record)


def show_record(options: NetworkOptions, make: Callable[[Request], Record], curve: bool = False) -> Record:
    """Make the record of the network that the options name, and write it as they say.

    Raises:
        CspanalyzeError: the options, the network or the output are off.
    """
    options.check()
    target = destination(options)
    request = request_of(options)
    # What a user's file prints must not end up in the middle of a JSON document.
    with contextlib.redirect_stdout(sys.stderr), waiting(f"analysing {options.model}"):
        record = make(request)
    write(record, options, target, curve)
    return record


def write(record: Record, options: NetworkOptions, target: Destination, curve: bool = False) -> None:
    """Render the record as the options say."""
    from cspanalyze.renderers import Layout, render

    layout = Layout(tree=options.by == "module", fold=not options.unfold, top=options.top, curve=curve)
    target.write(render(with_note(record), target.format, target.style, layout))


@overload
def with_note(record: Report) -> Report: ...
@overload
def with_note(record: Comparison) -> Comparison: ...
def with_note(record: Record) -> Record:
    """The record with a note on the defaults that came from a file, so that its figures can be made again."""
    told = session().tell_defaults()
    if not told:
        return record
    if isinstance(record, Comparison):
        return replace(record, base=with_note(record.base))
    return replace(record, subject=replace(record.subject, notes=(*record.subject.notes, told)))


def _record(
    options: NetworkOptions, request: Request, metrics: Sequence[str], train: bool, traffic: Traffic | None
) -> Record:
    from cspanalyze.pipeline import analyze, compare

    shared: dict[str, Any] = {
        "metrics": metrics, "by": options.by, "depth": options.depth, "train": train, "traffic": traffic,
    }  # fmt: skip
    return compare(request, csp=csp_of(options), **shared) if options.csp else analyze(request, **shared)


def request_of(options: InputOptions) -> Request:
    """The network and input that the options name.

    Raises:
        CspanalyzeError: they are written wrongly.
    """
    return fed(options.model, options)


def fed(model: str, options: FeedOptions) -> Request:
    """A network, built and fed as the options say.

    Raises:
        CspanalyzeError: they are written wrongly.
    """
    from cspanalyze.sources import Request, check, parse_arguments, parse_inputs

    request = Request(
        model=model,
        arguments=parse_arguments(options.arg or ()),
        inputs=parse_inputs(tuple(options.input or ())),
        input_from=options.input_from,
        batch=options.batch,
        dtype=options.dtype or "",
    )
    check(request)
    return request


def csp_of(options: PartialOptions) -> Csp:
    """How the options say that the twin is made."""
    from cspanalyze.pipeline import Csp

    given = {
        "gamma": options.gamma,
        "fusion": options.fusion,
        "preset": options.preset,
        "inner": options.inner,
        "init": options.init,
        "control": options.control,
        "stages": tuple(part.strip() for part in (options.stages or "").split(",") if part.strip()) or None,
    }
    return Csp(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def refuse_gaps(record: Record) -> None:
    """Refuse totals that leave something out.

    Raises:
        IncompleteError: an operation has no formula.
    """
    from cspanalyze.renderers.layout import shown
    from cspanalyze.renderers.tabulation import reports

    missing = {gap.op for report in reports(record) for result in shown(report) for gap in result.uncovered}
    if missing:
        raise IncompleteError(f"the totals leave out operations without a formula: {', '.join(sorted(missing))}")


def command_line() -> str:
    """The command as it was typed, for the page that it makes."""
    import shlex

    return shlex.join(["cspanalyze", *sys.argv[1:]])
