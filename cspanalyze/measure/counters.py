"""Hardware counters of memory traffic: which of them this machine has, and what their programs print.

NVIDIA GPUs: `ncu` (Nsight Compute), else the CUPTI metrics of torch.profiler. Linux CPUs: `perf stat`, last-level cache
misses. Each is probed before it is used, and says in a sentence why it cannot be.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cspanalyze.errors import CspanalyzeError

LINE = 64
DRAM_METRICS = ("dram__bytes_read.sum", "dram__bytes_write.sum")
PERF_EVENTS = ("LLC-load-misses", "LLC-store-misses")
_UNITS = {"byte": 1, "Kbyte": 1e3, "Mbyte": 1e6, "Gbyte": 1e9}
_PERF_REASONS = {
    "<not supported>": "this processor, or the virtual machine it is in, has no {event} counter",
    "<not counted>": "the kernel did not get to count {event}",
}


class CounterError(CspanalyzeError):
    """No hardware counter can be read here."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes that a run read from memory and wrote to it; None where the counter does not tell one of them."""

    read: int
    written: int | None


def ncu_command(program: Sequence[str]) -> list[str]:
    """Run a program under Nsight Compute: kernels between cudaProfilerStart and Stop, caches left as they are."""
    return [
        *("ncu", "--csv", "--print-units", "base", "--cache-control", "none", "--profile-from-start", "off"),
        *("--target-processes", "all", "--metrics", ",".join(DRAM_METRICS), *program),
    ]


def read_ncu(text: str) -> Counted:
    """The sum over all kernels of what `ncu --csv` printed.

    Raises:
        CounterError: it printed no such table, but why.
    """
    lines = text.splitlines()
    if "ERR_NVGPUCTRPERM" in text:
        raise CounterError("ncu may not read the GPU's counters (ERR_NVGPUCTRPERM: they are kept for administrators)")
    start = next((at for at, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        said = [line for mark in ("==ERROR==", "==WARNING==") for line in lines if line.startswith(mark)]
        why = said[0].split("== ", 1)[-1].strip().rstrip(".") if said else "it printed no table"
        raise CounterError(f"ncu measured nothing: {why}")
    sums = dict.fromkeys(DRAM_METRICS, 0.0)
    found: set[str] = set()
    for row in csv.DictReader(lines[start:]):
        name, value = row.get("Metric Name"), (row.get("Metric Value") or "").replace(",", "")
        if name in sums:
            try:
                sums[name] += float(value) * _UNITS[row.get("Metric Unit") or "byte"]
            except (ValueError, KeyError) as error:
                raise CounterError(f"ncu printed {value!r} {row.get('Metric Unit')!r} for {name}") from error
            found.add(name)
    if found != set(DRAM_METRICS):
        raise CounterError(f"ncu does not know {', '.join(sorted(set(DRAM_METRICS) - found))} on this GPU")
    return Counted(*(round(sums[name]) for name in DRAM_METRICS))


def read_cupti(text: str) -> Counted:
    """The trace of torch.profiler with CUPTI metrics: their sums over all ranges.

    Raises:
        CounterError: the trace holds no metrics.
    """
    sums: dict[str, float] = {}
    for event in json.loads(text).get("traceEvents", ()):
        for name in DRAM_METRICS:
            value = event.get("args", {}).get(name)
            if isinstance(value, (int, float)):
                sums[name] = sums.get(name, 0.0) + value
    if set(sums) != set(DRAM_METRICS):
        raise CounterError("torch.profiler got no CUPTI metrics (torch without its range profiler, or no permission)")
    return Counted(*(round(sums[name]) for name in DRAM_METRICS))


def perf_command(program: Sequence[str], control: int, acknowledge: int) -> list[str]:
    """Run a program under `perf stat`, which counts from the moment that the program writes to `control`."""
    return [
        *("perf", "stat", "-x", ",", "-e", ",".join(f"{event}:u" for event in PERF_EVENTS), "--delay", "-1"),
        *("--control", f"fd:{control},{acknowledge}", "--", *program),
    ]


def read_perf(text: str) -> Counted:
    """Lines of `perf stat -x ,`: last-level cache misses, 64 bytes each. Stores that miss are fills as well.

    The third field is the event, as it was asked for (`LLC-load-misses:u`) or, on processors with two kinds of cores, a
    line for each kind (`cpu_core/LLC-load-misses/`), which add up.

    Raises:
        CounterError: an event is not supported or not counted, in words.
    """
    counts: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for row in csv.reader(text.splitlines()):
        event = next((event for event in PERF_EVENTS if len(row) > 2 and event in row[2]), None)
        if event is None:
            continue
        if row[0] in _PERF_REASONS:
            reasons.setdefault(event, _PERF_REASONS[row[0]].format(event=event))
        else:
            counts[event] = counts.get(event, 0) + int(float(row[0]))
    if PERF_EVENTS[0] not in counts:
        lines = [line.strip() for line in text.splitlines() if line.strip() not in ("", "Error:")]
        said = lines[0].rstrip(".") if lines else "it printed nothing"
        raise CounterError(f"perf stat: {reasons.get(PERF_EVENTS[0], f'nothing was counted: {said}')}")
    return Counted(LINE * sum(counts.values()), None)


def why_no_ncu() -> str:
    """Why `ncu` cannot be used here; "" if it can be tried."""
    return "" if shutil.which("ncu") else "ncu (Nsight Compute) is not installed"


def why_no_perf() -> str:
    """Why `perf stat` cannot be used here; "" if it works for a program that does nothing."""
    if sys.platform != "linux":
        return f"perf is a Linux program, and this is {sys.platform}"
    if shutil.which("perf") is None:
        return "perf is not installed (Debian: apt install linux-perf)"
    probe = ["perf", "stat", "-x", ",", "-e", ",".join(f"{event}:u" for event in PERF_EVENTS), "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    try:
        read_perf(done.stderr)
    except CounterError as error:
        return str(error)
    return ""


def none_here(reasons: Iterable[str]) -> CounterError:
    """The one sentence when nothing can be read."""
    return CounterError(
        f"--measure counter finds no counter of memory traffic here: {'; '.join(reasons)}; leave it out for the cache "
        "model, or try --measure simulated"
    )
