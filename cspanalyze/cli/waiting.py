"""A sign of life on standard error while something takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 2.0


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a spinner with `what` if the body runs longer than two seconds and standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_spin, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _spin(what: str, done: threading.Event) -> None:
    if done.wait(_PATIENCE_SECONDS):
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} ..."):
        done.wait()
