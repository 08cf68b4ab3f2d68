"""A sign of life on standard error while something takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 2.0
_REFRESH_SECONDS = 0.5


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a spinner with `what` if the body runs longer than two seconds and standard error is a terminal."""
    with reporting(what):
        yield


@contextmanager
def reporting(what: str) -> Iterator[Callable[[str], None]]:
    """As `waiting`, with a function that says how far the body is: shown behind `what`."""
    said = [what]
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    done = threading.Event()
    thread = threading.Thread(target=_spin, args=(said, done), daemon=True)
    thread.start()
    try:
        yield lambda text: said.append(f"{what}: {text}")
    finally:
        done.set()
        thread.join()


def _spin(said: list[str], done: threading.Event) -> None:
    if done.wait(_PATIENCE_SECONDS):
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{said[-1]} ...") as status:
        while not done.wait(_REFRESH_SECONDS):
            status.update(f"{said[-1]} ...")
