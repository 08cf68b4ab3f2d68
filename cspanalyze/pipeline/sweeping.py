"""Figures of many networks, one row each, on any executor. No torch at import."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from cspanalyze.errors import CspanalyzeError
from cspanalyze.sources import SOURCES, Request, in_one_sentence

A = TypeVar("A")
R = TypeVar("R")
METRICS = ("params", "macs", "flops_fvcore", "activations", "cio", "peak_bytes", "operations")


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A network's totals, or in `error` why there are none.

    `cio` and `activations` are in elements; `coverage_percent` is the share of operations that have a formula;
    `seconds` is wall time from the name to the figures.
    """

    model: str
    input: str = ""
    method: str = ""
    params: int | None = None
    macs: int | None = None
    flops_fvcore: int | None = None
    activations: int | None = None
    cio: int | None = None
    peak_bytes: int | None = None
    operations: int | None = None
    coverage_percent: float | None = None
    seconds: float | None = None
    error: str = ""


FIELDS = tuple(field.name for field in fields(SweepRow))


def texts(row: SweepRow) -> list[str]:
    """The fields of a row as a file holds them; what is unknown is empty."""
    return ["" if value is None else str(value) for value in asdict(row).values()]


def row_from(texts: Sequence[str]) -> SweepRow:
    """Inverse of `texts`.

    Raises:
        ValueError: it is no such row.
    """
    values: dict[str, Any] = dict(zip(FIELDS, texts, strict=True))
    for name in ("params", "macs", "flops_fvcore", "activations", "cio", "peak_bytes", "operations"):
        values[name] = int(values[name]) if values[name] else None
    for name in ("coverage_percent", "seconds"):
        values[name] = float(values[name]) if values[name] else None
    return SweepRow(**values)


def completed(executor: Executor, function: Callable[[A], R], tasks: Iterable[A]) -> Iterator[tuple[A, R | Exception]]:
    """Every task with what `function` made of it, or with what went wrong, in the order in which they are done.

    Works on any executor of `concurrent.futures` (threads, processes, a cluster's); the function and the tasks must be
    picklable for most. Where the caller stops early, what has not begun is cancelled.
    """
    futures = {executor.submit(function, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            try:
                outcome: R | Exception = future.result()
            except (Exception, CancelledError) as error:
                outcome = error if isinstance(error, Exception) else RuntimeError("cancelled")
            yield futures[future], outcome
    finally:
        for future in futures:
            future.cancel()


def sweep(models: Sequence[str], executor: Executor, request: Request | None = None) -> Iterator[SweepRow]:
    """A row for every MODEL argument, in the order in which they are done; one failure never stops the rest.

    All are built and fed as `request` says, whatever network it names; without it in their own way.
    """
    tasks = [Request(model) if request is None else replace(request, model=model) for model in models]
    for task, outcome in completed(executor, measure, tasks):
        yield outcome if isinstance(outcome, SweepRow) else SweepRow(task.model, error=told(outcome))


def measure(request: Request) -> SweepRow:
    """Trace one network and add up its figures; what goes wrong is told in the row."""
    from cspanalyze.pipeline.analysis import analyze

    start = time.perf_counter()
    try:
        report = analyze(request, metrics=METRICS, by="op")
    except Exception as error:
        return SweepRow(request.model, seconds=round(time.perf_counter() - start, 3), error=told(error))
    totals: dict[str, Any] = {result.metric: result.total for result in report.results}
    missing = sum(gap.count for gap in report.result("operations").uncovered)
    count = totals["operations"]
    return SweepRow(
        model=request.model,
        input=" ".join(report.subject.inputs),
        method=report.subject.method,
        **totals,
        coverage_percent=round(100 * (count - missing) / count, 3) if count else None,
        seconds=round(time.perf_counter() - start, 3),
    )


def told(error: BaseException) -> str:
    """What went wrong, in one sentence."""
    if isinstance(error, CspanalyzeError):
        return " ".join(str(error).split())
    return in_one_sentence(" ".join(str(error).split())) or type(error).__name__


def prepare(models: Sequence[str]) -> None:
    """Import what these networks come from, so that none of them is charged for it; one thread is enough on meta."""
    import torch

    torch.set_num_threads(1)
    for source in SOURCES:
        if source.listing is not None and any(source.prefix and source.claims(model) for model in models):
            try:
                source.names()
            except CspanalyzeError:
                continue  # every network of that source will say so
