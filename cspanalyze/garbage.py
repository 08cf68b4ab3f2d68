"""Hold back Python's cyclic garbage collector while records are made by the hundred thousand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected_later() -> Iterator[None]:
    """No collection inside; afterwards as before.

    Each collection walks everything that lives, and what a trace makes lives on: collecting in between makes the time
    per operation grow with their number. A traced storage also dies by reference count alone, the same in every run.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
