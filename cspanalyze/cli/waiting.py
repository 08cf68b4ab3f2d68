"""A sign of life on standard error while something takes long: a bar, or with --verbose a line for every step."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from cspanalyze.cli.session import note, session
from cspanalyze.steps import Step, listening

_PATIENCE_SECONDS = 2.0
_REFRESH_SECONDS = 0.2


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show what is done, if the body runs longer than two seconds and standard error is a terminal.

    The steps that the body tells (`cspanalyze.steps`) stand behind `what`, with a bar where they say how far they are.
    """
    seen = _Seen(what)
    start, done = perf_counter(), threading.Event()
    thread = threading.Thread(target=_show, args=(seen, done), daemon=True) if _watched() else None
    if thread is not None:
        thread.start()
    try:
        with listening(seen.hear):
            yield
    finally:
        done.set()
        if thread is not None:
            thread.join()
    if session().verbose:
        note(f"{what}: {perf_counter() - start:.2f} s in all")


class _Seen:
    """The step that was told last."""

    def __init__(self, what: str) -> None:
        self.step = Step(what)
        self._what = what

    def hear(self, step: Step) -> None:
        if step.seconds is None:
            self.step = Step(f"{self._what}: {step.what}", step.done, step.total)
        elif session().verbose:
            note(f"  {step.what}: {step.seconds:.2f} s")


def _watched() -> bool:
    return sys.stderr.isatty() and not session().quiet


def _show(seen: _Seen, done: threading.Event) -> None:
    if done.wait(_PATIENCE_SECONDS):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(seen.step.what, total=None)
        while not done.wait(_REFRESH_SECONDS):
            step = seen.step
            # A bar whose total is unknown pulses.
            progress.update(bar, description=step.what, completed=step.done or 0, total=step.total)
