"""Hold back full garbage collections while records are made by the hundred thousand."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_PATIENCE = 50
_calls = count(1)


@contextmanager
def young_collections_only() -> Iterator[None]:
    """Inside, Python collects cycles among young objects only; afterwards as before.

    A full collection walks everything that lives, torch itself included, and what a trace makes lives on: with them
    the time per operation grows with the number of operations. The young ones go on: torch leaves cycles that would
    keep storages alive. What is made inside holds no cycles, so the full collection that Python would make up for at
    the end is put off too; but not always, or a loop of traces would keep the garbage of everything else.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(*thresholds[:2], sys.maxsize >> 32)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if next(_calls) % _PATIENCE and not gc.get_freeze_count():
            gc.freeze()  # the only call that sets Python's counts of due collections back, in no time
            gc.unfreeze()
