"""Traffic of the real inference by hardware counters. Also the program that runs under ncu and perf."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import CspanalyzeError
from cspanalyze.measure import counters
from cspanalyze.measure.counters import Counted, CounterError
from cspanalyze.pipeline.simulation import Job, jobs_of, with_numbers
from cspanalyze.pipeline.traffic import Reading
from cspanalyze.sources import Request

if TYPE_CHECKING:
    from cspanalyze.pipeline.layouts import Layout
    from cspanalyze.pipeline.networks import Csp

_WARM_UP = 3


def counted(request: Request, csp: Csp | None, layout: Layout) -> tuple[Reading, ...]:
    """Readings of the base, then of its twins where there are any, by the first counter that works.

    Raises:
        CounterError: none does; it says why of each.
    """
    jobs = jobs_of(request, csp, layout)
    reasons: list[str] = []
    for name, why_not, count in _counters():
        reason = why_not()
        if not reason:
            try:
                found = [count(job) for job in jobs]
            except CounterError as error:
                reason = str(error)
            else:
                fallbacks = f"; not by other means: {'; '.join(reasons)}" if reasons else ""
                return tuple(_reading(each, name + fallbacks) for each in found)
        reasons.append(reason)
    raise counters.none_here(reasons)


def _counters() -> Sequence[tuple[str, Callable[[], str], Callable[[Job], Counted]]]:
    """Name, why it cannot be used, and how to count, in the order in which they are tried."""
    import torch

    if torch.cuda.is_available():
        return (
            ("ncu, dram bytes, caches left as they are", counters.why_no_ncu, _by_ncu),
            ("torch.profiler, CUPTI dram bytes", lambda: "", _by_cupti),
        )
    return (
        ("ncu", lambda: "torch sees no NVIDIA GPU", _by_ncu),
        ("perf stat, last-level cache misses of 64 B", counters.why_no_perf, _by_perf),
    )


def _reading(found: Counted, name: str) -> Reading:
    total = found.read if found.written is None else found.read + found.written
    what = "lines brought in" if found.written is None else "bytes read + written"
    return Reading("counter", total=total, note=f"{what} in one warm forward pass ({name})")


def _by_ncu(job: Job) -> Counted:
    with tempfile.TemporaryDirectory(prefix="cspanalyze-") as folder:
        done = _run(counters.ncu_command(_program(Path(folder), job, "cuda")))
    return counters.read_ncu(done.stdout + done.stderr)


def _by_perf(job: Job) -> Counted:
    control, acknowledge = os.pipe(), os.pipe()
    try:
        with tempfile.TemporaryDirectory(prefix="cspanalyze-") as folder:
            program = [*_program(Path(folder), job, "cpu"), str(control[1]), str(acknowledge[0])]
            command = counters.perf_command(program, control[0], acknowledge[1])
            done = _run(command, pass_fds=(*control, *acknowledge))
    finally:
        for end in (*control, *acknowledge):
            os.close(end)
    return counters.read_perf(done.stderr)


def _by_cupti(job: Job) -> Counted:
    """CUPTI's range profiler inside torch.profiler; its metrics are attached to the events of the whole range."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    forward = _warm(job, "cuda")
    config = torch._C._profiler._ExperimentalConfig(
        profiler_metrics=list(counters.DRAM_METRICS), profiler_measure_per_kernel=False
    )
    try:
        with profile(activities=[ProfilerActivity.CUDA], experimental_config=config) as profiler:
            forward()
        with tempfile.TemporaryDirectory(prefix="cspanalyze-") as folder:
            path = Path(folder) / "trace.json"
            profiler.export_chrome_trace(str(path))
            return counters.read_cupti(path.read_text(encoding="utf-8"))
    except RuntimeError as error:
        raise CounterError(
            f"torch.profiler cannot read CUPTI metrics here: {str(error).partition(chr(10))[0]}"
        ) from error


def _program(folder: Path, job: Job, device: str) -> list[str]:
    (folder / "job").write_bytes(pickle.dumps(job))
    return [sys.executable, "-m", __name__, str(folder / "job"), device]


def _run(command: Sequence[str], pass_fds: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))
    environment = {**os.environ, "PYTHONPATH": paths, "LC_ALL": "C"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, pass_fds=pass_fds)


def _warm(job: Job, device: str) -> Callable[[], None]:
    """A forward pass that has run a few times."""
    import torch
    from torch.utils._pytree import tree_map

    def moved(leaf: Any) -> Any:
        return leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf

    loaded = with_numbers(job)
    model = loaded.model.eval().to(device)
    args, kwargs = tree_map(moved, (loaded.args, dict(loaded.kwargs)))

    def forward() -> None:
        with torch.inference_mode():
            model(*args, **kwargs)
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(_WARM_UP):
        forward()
    return forward


def _main(path: str, device: str, *ends: str) -> None:
    """One warm forward pass between the marks that the counting program waits for."""
    forward = _warm(pickle.loads(Path(path).read_bytes()), device)
    if device == "cuda":
        import torch

        torch.cuda.profiler.start()  # type: ignore[no-untyped-call]
        forward()
        torch.cuda.profiler.stop()  # type: ignore[no-untyped-call]
        return
    control, acknowledge = map(int, ends)
    for message, action in ((b"enable\n", forward), (b"disable\n", lambda: None)):
        os.write(control, message)
        os.read(acknowledge, 16)
        action()


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except CspanalyzeError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
