"""What is being done just now, told to whoever listens: a progress bar, a log, nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of work: `done` of `total` where that can be told, and `seconds` once it is over."""

    what: str
    done: float | None = None
    total: float | None = None
    seconds: float | None = None


_listener: ContextVar[Callable[[Step], None] | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Callable[[Step], None]) -> Iterator[None]:
    """Tell the listener every step of the body."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def step(what: str) -> Iterator[None]:
    """The body is this step: told at its begin, and with its time at its end."""
    listener = _listener.get()
    if listener is None:
        yield
        return
    listener(Step(what))
    start = perf_counter()
    yield
    listener(Step(what, seconds=perf_counter() - start))


def count(what: str, done: float, total: float) -> None:
    """So much of the present work is done."""
    listener = _listener.get()
    if listener is not None:
        listener(Step(what, done, total))
