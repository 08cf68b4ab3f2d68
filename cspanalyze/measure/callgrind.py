"""Real inference under valgrind's cache simulation: how it is started, and what it wrote.

The recipe: one thread, oneDNN held to AVX (emulated fused multiply-adds of AVX2 are a hundred times slower), and
simulation switched on around the measured forward pass only, which starts with empty caches. The caches are 16-way,
with lines of 64 bytes; the first-level data cache is made as large as a second capacity, so that one run gives two.
Instructions have a cache that is large enough for all of them: else they would take room from data in the larger one.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cspanalyze.errors import CspanalyzeError
from cspanalyze.steps import count

LINE, WAYS = 64, 16
_CODE_BYTES = 16 << 20
FLUSHED = "flushed"
"""Name of the dump before the forward pass."""
_HOLD = {"ONEDNN_MAX_CPU_ISA": "AVX", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_SEPARATOR = "\t"
_EXPECTED, _GLANCE_SECONDS = "expected", 0.5


class SimulationError(CspanalyzeError):
    """The cache simulation cannot run here, or did not finish."""


@dataclass(frozen=True, slots=True)
class Fills:
    """Bytes that a module brought into caches of two capacities: `small`, then `large`."""

    module: str
    small: int
    large: int


def require_valgrind() -> str:
    """Path of valgrind.

    Raises:
        SimulationError: it is not there, or this is no x86-64 Linux.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise SimulationError(
            f"--measure simulated needs x86-64 Linux, and this is {platform.machine()} {sys.platform}: leave it "
            "out for the cache model"
        )
    found = shutil.which("valgrind")
    if found is None:
        raise SimulationError(
            "--measure simulated needs valgrind, which is not installed: install it (Debian: apt install valgrind), or "
            "leave the option out for the cache model"
        )
    return found


def rounded(capacity: int) -> int:
    """The largest capacity that callgrind can simulate up to this one: a power of two, at least 128 KiB."""
    return max(1 << 17, 1 << (capacity.bit_length() - 1))


def run(module: str, arguments: Sequence[str], folder: Path, small: int, large: int) -> None:
    """Run `python -m module arguments` under callgrind with caches of two capacities; dumps go into `folder`.

    Raises:
        SimulationError: valgrind is missing, or the program failed under it.
    """
    command = [
        *(require_valgrind(), "--quiet", "--tool=callgrind", "--instr-atstart=no", "--cache-sim=yes"),
        *(f"--I1={_CODE_BYTES},{WAYS},{LINE}", f"--D1={small},{WAYS},{LINE}", f"--LL={large},{WAYS},{LINE}"),
        f"--callgrind-out-file={folder}/counts",
        *(sys.executable, "-m", module, *arguments),
    ]
    environment = {**os.environ, **_HOLD, "PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    with process:
        try:
            said = _followed(process, folder)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        lines = [line for line in said.strip().splitlines() if not line.startswith("==")]
        raise SimulationError(
            f"the run under valgrind failed: {lines[-1] if lines else f'exit code {process.returncode}'}"
        )


def expect(folder: Path, dumps: int) -> None:
    """Say, from inside the run, how many dumps there will be about."""
    (folder / _EXPECTED).write_text(str(dumps))


def _followed(process: subprocess.Popen[str], folder: Path) -> str:
    """What the run says on standard error; meanwhile its dumps are counted."""
    while True:
        try:
            return process.communicate(timeout=_GLANCE_SECONDS)[1]
        except subprocess.TimeoutExpired:
            expected = folder / _EXPECTED
            total = expected.read_text() if expected.exists() else ""
            if total.isdecimal():
                dumps = sum(1 for _ in folder.glob("counts.*"))
                count("simulating", min(dumps, int(total)), int(total))


def dump_name(job: int, module: str) -> str:
    """What a dump of a module is called."""
    return f"{job}{_SEPARATOR}{module}"


def fills(folder: Path) -> Mapping[int, tuple[Fills, ...]]:
    """What every module of every job brought in, summed over its dumps, in the order of first dumps.

    Data only: instructions that miss are left out.
    """
    sums: dict[tuple[int, str], tuple[int, int]] = {}
    for path in sorted(folder.glob("counts.*"), key=lambda path: int(path.suffix[1:])):
        found = read_dump(path.read_text(encoding="utf-8", errors="replace"))
        if found is None:
            continue
        name, small, large = found
        job, _, module = name.partition(_SEPARATOR)
        if module == FLUSHED or not job.isdecimal():
            continue
        before = sums.get((int(job), module), (0, 0))
        sums[int(job), module] = before[0] + small, before[1] + large
    jobs: dict[int, list[Fills]] = {}
    for (number, module), (small, large) in sums.items():
        jobs.setdefault(number, []).append(Fills(module, small, large))
    return {number: tuple(found) for number, found in jobs.items()}


def read_dump(text: str) -> tuple[str, int, int] | None:
    """Name and filled bytes (small cache, large cache) of one dump; None if no client request made it."""
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    events = re.search(r"^events: (.*)$", text, re.MULTILINE)
    totals = re.search(r"^totals: (.*)$", text, re.MULTILINE)
    if name is None or events is None or totals is None:
        return None
    counts = dict(zip(events[1].split(), map(int, totals[1].split()), strict=False))  # trailing zeros are left out
    small = counts.get("D1mr", 0) + counts.get("D1mw", 0)
    large = counts.get("DLmr", 0) + counts.get("DLmw", 0)
    return name[1], small * LINE, large * LINE
