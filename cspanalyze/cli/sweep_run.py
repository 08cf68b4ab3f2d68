"""A sweep from names to rows in a file, with a progress bar beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cspanalyze.cli.destination import destination
from cspanalyze.cli.execution import fed
from cspanalyze.cli.options import OutputOptions
from cspanalyze.cli.row_file import RowFile
from cspanalyze.cli.session import note, session
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import IncompleteError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from cspanalyze.cli.commands.sweep import SweepOptions
    from cspanalyze.designs import DesignRow
    from cspanalyze.pipeline.sweeping import SweepRow

    Row = SweepRow | DesignRow


def run_sweep(options: SweepOptions) -> None:
    """Sweep as the options say.

    Raises:
        CspanalyzeError: the options or the file are off; IncompleteError under `--strict`.
    """
    from cspanalyze.pipeline.sweeping import FIELDS, row_from, sweep, texts

    request = fed("", options)
    target = destination(options.rest)
    models = matched(options)  # before the file is touched: a pattern may match nothing
    file = RowFile(Path(options.rows_file) if options.rows_file else None, FIELDS)
    at_once = file.path is not None or options.rest == OutputOptions()
    rows = [row_from(each) for each in file.begin(force=options.force, resume=options.resume)] if at_once else []
    there = {row.model for row in rows}
    left = [model for model in models if model not in there]
    failed, partly = 0, 0
    with (
        progress(len(models), len(models) - len(left)) as advance,
        keeping(file),
        executor_of(options, left, len(left)) as executor,
    ):
        for row in sweep(left, executor, request):
            rows.append(row)
            if at_once:
                file.append(texts(row))
            failed += bool(row.error)
            partly += row.coverage_percent is not None and row.coverage_percent < 100
            advance(row)
    if options.rest != OutputOptions():
        from cspanalyze.renderers.sweeps import render_sweep

        rows.sort(key=lambda row: models.index(row.model) if row.model in models else len(models))
        target.write(render_sweep(rows, target.format, target.style))
    kept = f", {len(models) - len(left)} were there" if options.resume else ""
    where = f"; wrote {file.path}" if file.path else ""
    note(f"{len(left)} networks: {len(left) - failed} counted, {failed} failed{kept}{where}")
    if options.strict and (failed or partly):
        raise IncompleteError(f"{failed} networks failed, {partly} have operations without a formula")


def matched(options: SweepOptions) -> list[str]:
    """The networks that the patterns stand for."""
    with waiting("listing networks"):
        from cspanalyze.sources.matching import matching

        return list(matching(options.patterns))


def executor_of(options: SweepOptions, models: list[str], tasks: int) -> AbstractContextManager[Executor]:
    """Processes of this machine, or those of a cluster."""
    from cspanalyze.pipeline.executors import cluster, local
    from cspanalyze.pipeline.sweeping import prepare

    if options.scheduler:
        return cluster(options.scheduler)
    return local(min(options.workers, max(1, tasks)), options.timeout, partial(prepare, tuple(models)))


@contextmanager
def keeping(file: RowFile) -> Iterator[None]:
    """Say where what is done is kept, if the user interrupts."""
    try:
        yield
    except KeyboardInterrupt:
        if file.path is not None:
            note(f"{file.path} holds every network that was done: --resume goes on from there")
        raise


@contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[Row], None]]:
    """A bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty() or session().quiet:
        yield lambda row: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=total, completed=done, note="starting")
        failed = 0

        def advance(row: Row) -> None:
            nonlocal failed
            failed += bool(row.error)
            progress.update(bar, advance=1, note=f"{row.model}{f', {failed} failed' if failed else ''}")

        yield advance
