"""A sweep from names to rows in a file, with a progress bar beside it."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cspanalyze.cli.destination import check_writable, replace_file
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import IncompleteError, OutputError, UsageError

if TYPE_CHECKING:
    from cspanalyze.cli.commands.sweep import SweepOptions
    from cspanalyze.pipeline.sweeping import SweepRow


def run_sweep(options: SweepOptions) -> None:
    """Sweep as the options say.

    Raises:
        CspanalyzeError: the options or the file are off; IncompleteError under `--strict`.
    """
    path = Path(options.csv) if options.csv else None
    there = _begin(path, options)
    with waiting("listing networks"):
        from cspanalyze.sources.matching import matching

        models = matching(options.patterns)
    left = [model for model in models if model not in there]
    failed, partly = 0, 0
    with _progress(len(models), len(models) - len(left)) as advance:
        try:
            for row in _rows(left, options):
                _append(path, row)
                failed += bool(row.error)
                partly += row.coverage_percent is not None and row.coverage_percent < 100
                advance(row)
        except KeyboardInterrupt:
            if path is not None:
                print(f"{path} holds every network that was done: --resume goes on from there", file=sys.stderr)
            raise
    kept = f", {len(models) - len(left)} were there" if options.resume else ""
    where = f"; wrote {path}" if path else ""
    print(f"{len(left)} networks: {len(left) - failed} counted, {failed} failed{kept}{where}", file=sys.stderr)
    if options.strict and (failed or partly):
        raise IncompleteError(f"{failed} networks failed, {partly} have operations without a formula")


def _rows(models: Sequence[str], options: SweepOptions) -> Iterator[SweepRow]:
    from cspanalyze.pipeline.sweeping import prepare, sweep
    from cspanalyze.pipeline.workers import Workers

    workers = Workers(min(options.workers, max(1, len(models))), options.timeout, partial(prepare, tuple(models)))
    try:
        yield from sweep(models, workers)
    finally:
        workers.shutdown(cancel_futures=True)


def _begin(path: Path | None, options: SweepOptions) -> set[str]:
    """Write the header where it is missing; the networks that the file has rows of already."""
    from cspanalyze.pipeline.sweeping import FIELDS

    header = _line(FIELDS)
    if path is None:
        sys.stdout.write(header)
        return set()
    if path.suffix != ".csv":
        raise UsageError(f"--csv {path} has another suffix than .csv")
    check_writable(path, options.force or options.resume)
    if not (options.resume and path.exists()):
        replace_file(path, header)
        return set()
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]  # a row that a crash of the machine cut short is done again
    rows = list(csv.reader(io.StringIO(whole)))
    if not rows or tuple(rows[0]) != FIELDS:
        raise UsageError(f"{path} was not written by this version of `sweep`: leave out --resume, or name another file")
    if whole != text:
        replace_file(path, whole)
    return {row[0] for row in rows[1:]}


def _line(fields: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def _append(path: Path | None, row: SweepRow) -> None:
    """Add a row in one write, so that the file ends with a whole row at any moment."""
    from cspanalyze.pipeline.sweeping import texts

    line = _line(texts(row))
    if path is None:
        sys.stdout.write(line)
        sys.stdout.flush()
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[SweepRow], None]]:
    """A bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda row: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=total, completed=done, note="starting")
        failed = 0

        def advance(row: SweepRow) -> None:
            nonlocal failed
            failed += bool(row.error)
            progress.update(bar, advance=1, note=f"{row.model}{f', {failed} failed' if failed else ''}")

        yield advance
