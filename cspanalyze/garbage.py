"""Hold back full garbage collections while records are made by the hundred thousand."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def young_collections_only() -> Iterator[None]:
    """Inside, Python collects cycles among young objects only; afterwards as before.

    A full collection walks everything that lives, and what a trace makes lives on: with them the time per operation
    grows with the number of operations. The young ones go on: torch leaves cycles that would keep storages alive.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(*thresholds[:2], sys.maxsize >> 32)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
