"""What every benchmark needs: the machine in one line, processor time, tables."""

from __future__ import annotations

import csv
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def hardware() -> str:
    """Processor, cores and memory."""
    model = platform.processor() or platform.machine()
    memory = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    except (OSError, ValueError):
        pass
    return f"{model}, {os.cpu_count()} cores{memory}"


def software() -> str:
    """Python and torch."""
    import torch

    return f"Python {platform.python_version()}, torch {torch.__version__}"


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time of one call in this process, user and system."""
    start = time.process_time()
    work()
    return time.process_time() - start


def process_cpu_seconds(command: Sequence[str]) -> tuple[float, str]:
    """Processor time of a whole child process, user and system, on one thread; and what it printed.

    Raises:
        RuntimeError: it failed; the message ends with the last line it wrote.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def own_script(script: str, *arguments: str) -> list[str]:
    """Command for one of the files here, in this interpreter."""
    return [sys.executable, str(Path(script).resolve()), *arguments]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, numbers to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The rows with the date and the hardware in front of each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["date", "hardware", *header])
        writer.writerows([[date.today().isoformat(), hardware(), *row] for row in rows])
