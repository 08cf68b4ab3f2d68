"""Wall time of networks on the machine at hand: paired, interleaved, warmed up, on pinned threads."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import quantiles
from typing import Any

import torch

from cspanalyze.steps import count

Step = Callable[[], Any]
WARM_UP = 3
LEAST_ROUNDS, MOST_ROUNDS = 6, 1_000
"""Fewer rounds have no 95 % interval of the median."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of every round of one network, in order; round i of all networks ran one after another."""

    seconds: tuple[float, ...]

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """First quartile, median and third quartile."""
        return quartiles(self.seconds)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """First quartile, median and third quartile of two or more values."""
    first, middle, third = quantiles(values, n=4, method="inclusive")
    return first, middle, third


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median: the k-th smallest and the k-th largest value, whatever the distribution is.

    The median lies outside with a probability of 2 sum over i < k of C(n, i) / 2^n, so k is the largest for which that
    is at most 5 %. None below 6 values, where no k is.
    """
    n = len(values)
    outside, k = 2, 0  # of 2^n
    while 20 * outside <= 1 << n:
        k += 1
        outside += 2 * comb(n, k)
    if not k:
        return None
    ranked = sorted(values)
    return ranked[k - 1], ranked[n - k]


def time_side_by_side(steps: Sequence[Step], seconds: float, synchronize: Callable[[], None]) -> list[Timing]:
    """Run the steps in turn, round by round, for about `seconds` in all, and time every run.

    Every other round runs in the opposite order, so that neither what came before nor a machine that slows down
    favours one of them.
    """
    for _ in range(WARM_UP):
        for step in steps:
            step()
    synchronize()
    taken: list[list[float]] = [[] for _ in steps]
    order = list(enumerate(steps))
    begin = time.perf_counter()
    end = begin + seconds
    while len(taken[0]) < LEAST_ROUNDS or (time.perf_counter() < end and len(taken[0]) < MOST_ROUNDS):
        for number, step in order:
            start = time.perf_counter()
            step()
            synchronize()
            taken[number].append(time.perf_counter() - start)
        order.reverse()
        count("timing", min(time.perf_counter() - begin, seconds), seconds)
    return [Timing(tuple(each)) for each in taken]


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Inside, torch computes with so many threads, which stay on as many processors; both are put back afterwards."""
    before = torch.get_num_threads()
    affinity: set[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    torch.set_num_threads(threads)
    if affinity:
        _keep_on(set(sorted(affinity)[:threads]))
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if affinity:
            _keep_on(affinity)


def _keep_on(processors: set[int]) -> None:
    """All threads of this process: those of a pool that is already there do not follow the main one."""
    with contextlib.suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(task.name), processors)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_bytes(step: Step, device: str) -> int | None:
    """Most bytes that one step has allocated beyond what was there before; None where torch does not tell."""
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    from torch.profiler import ProfilerActivity, profile

    with _silent_errors(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    try:  # the allocation events have no public name
        events = profiler.profiler.kineto_results.events()
        changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    except AttributeError:
        return None
    live = most = 0
    for _, change in changes:
        live += change
        most = max(most, live)
    return most


@contextlib.contextmanager
def _silent_errors() -> Iterator[None]:
    """The profiler's library writes debugging lines to the file descriptor of standard error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load() -> str:
    """What else kept the machine busy in the last minute, in words; "" where it was quiet or nobody knows."""
    try:
        busy = os.getloadavg()[0]
    except (AttributeError, OSError):
        return ""
    there = os.cpu_count() or 1
    return f"the machine was busy: load {busy:.1f} on {there} processors" if busy > 0.5 * there else ""


def machine(device: str, threads: int) -> str:
    """What it ran on, in words."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''} pinned"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
