"""Where a sweep runs: processes of this machine, or a cluster that is there already. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from cspanalyze.errors import UsageError


@contextmanager
def local(workers: int, timeout: float | None, prepare: Callable[[], Any]) -> Iterator[Executor]:
    """Processes of their own; what still runs at the end is ended."""
    from cspanalyze.pipeline.workers import Workers

    executor = Workers(workers, timeout, prepare)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler, each with this package installed.

    A task whose worker stops is done again by another one; its result is taken once.

    Raises:
        UsageError: dask.distributed is not installed, or nobody answers at the address.
    """
    try:
        distributed: Any = import_module("distributed")  # not typed
    except ImportError as error:
        raise UsageError("--scheduler needs dask.distributed: pip install 'cspanalyze[cluster]'") from error
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}") from error
    try:
        yield client.get_executor(pure=False)
    finally:
        client.close()
