"""Traffic of the real inference under a cache simulation, module by module. Also the program that runs under it."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import CspanalyzeError, UsageError
from cspanalyze.measure import callgrind
from cspanalyze.measure.callgrind import Fills
from cspanalyze.results import CONTROL
from cspanalyze.sources import Request, load

if TYPE_CHECKING:
    from cspanalyze.analyses import Grouping
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline.layouts import Layout
    from cspanalyze.pipeline.networks import Csp
    from cspanalyze.sources import Loaded

_FLUSH_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """A network to run, or that variant of it which `csp` makes: its twin, or the control of that."""

    request: Request
    csp: Csp | None = None
    layout: Layout = "nchw"
    variant: str = "CSP"


def jobs_of(request: Request, csp: Csp | None, layout: Layout) -> list[Job]:
    """The network and, unless `csp` is None, its twin and the control if asked for, as they stand in a comparison."""
    variants = () if csp is None else ("CSP", CONTROL) if csp.control else ("CSP",)
    return [Job(request, None, layout), *(Job(request, csp, layout, variant) for variant in variants)]


def simulate(jobs: Sequence[Job], small: int, large: int) -> list[tuple[Fills, ...]]:
    """Bytes that every module of every job brings into cold caches of two capacities (powers of two).

    The networks run for real, with weights drawn anew, in one process under valgrind; minutes.

    Raises:
        SimulationError: valgrind is missing or the run failed.
    """
    callgrind.require_valgrind()
    with tempfile.TemporaryDirectory(prefix="cspanalyze-") as name:
        folder = Path(name)
        (folder / "jobs").write_bytes(pickle.dumps(list(jobs)))
        callgrind.run(__name__, [str(folder / "jobs")], folder, small, large)
        found: Mapping[int, tuple[Fills, ...]] = callgrind.fills(folder)
    return [found.get(number, ()) for number in range(len(jobs))]


def group_of(graph: ModelGraph, grouping: Grouping) -> Callable[[str], str]:
    """Into which row a module's own figure goes: that of its first operation, or of the first one below or above it."""
    of_module: dict[str, str] = {}
    for op, group in zip(graph.ops, grouping.of_op, strict=True):
        of_module.setdefault(op.module, group)
        path = op.module
        while path:
            path = path.rpartition(".")[0]
            of_module.setdefault(path, group)

    def find(path: str) -> str:
        while path and path not in of_module:
            path = path.rpartition(".")[0]
        return of_module.get(path, grouping.names[0])

    return find


def _main(path: str) -> None:
    """Run all jobs; called under valgrind only."""
    import torch

    torch.set_num_threads(1)
    jobs, before = pickle.loads(Path(path).read_bytes()), 0
    for number, job in enumerate(jobs):
        loaded = with_numbers(job)
        dumps = 2 * sum(1 for _ in loaded.model.modules())
        callgrind.expect(Path(path).parent, before + dumps * (len(jobs) - number))
        before += dumps
        _run(number, loaded.model.eval(), loaded.args, loaded.kwargs)


def with_numbers(job: Job) -> Loaded:
    """The network of a job with random weights and inputs, in its layout.

    Raises:
        UsageError: it cannot be built with data.
    """
    from cspanalyze.pipeline.layouts import in_layout
    from cspanalyze.pipeline.networks import twins_of

    loaded = load(job.request).with_data()
    if loaded is None:
        raise UsageError(f"{job.request.model} cannot be built with data, so it cannot be run")
    if job.csp is not None:
        twins = twins_of(loaded.model, job.csp, loaded.args, loaded.kwargs)
        loaded = replace(loaded, model=twins[job.variant].model)
    return in_layout(loaded, job.layout)


def _run(number: int, model: Any, args: Any, kwargs: Any) -> None:
    """One forward pass with a dump wherever a module begins or ends: what came before belongs to the one that ran."""
    import torch
    from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

    from cspanalyze.measure.client_requests import Name, start_counting, stop_counting

    names = {id(module): Name(callgrind.dump_name(number, path)) for path, module in model.named_modules()}
    outside = Name(callgrind.dump_name(number, ""))
    open_modules = [outside]

    def enter(module: Any, inputs: Any) -> None:
        open_modules[-1].dump()
        open_modules.append(names.get(id(module), open_modules[-1]))

    def leave(module: Any, inputs: Any, output: Any) -> None:
        open_modules.pop().dump()

    flushed, flush = Name(callgrind.dump_name(number, callgrind.FLUSHED)), torch.zeros(_FLUSH_BYTES // 4)
    with torch.inference_mode():
        for _ in range(2):
            model(*args, **kwargs)
        hooks = register_module_forward_pre_hook(enter), register_module_forward_hook(leave)
        start_counting()
        flush.sum()
        flushed.dump()
        model(*args, **kwargs)
        outside.dump()
        stop_counting()
        for hook in hooks:
            hook.remove()


if __name__ == "__main__":
    try:
        _main(sys.argv[1])
    except CspanalyzeError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(error.exit_code)
    os._exit(0)  # an orderly end takes long under valgrind
