"""Processor time to count a network: this package with all its analyses, against the other counting tools.

    python benchmarks/peers.py [--rounds 7] [--networks resnet50 ...]

Warm: the network exists, torch and the tool are imported and have run once; median over rounds in which every tool
runs once in turn, so that a busy machine slows all of them. Process: a whole `python` that imports, builds the network
and counts it; the row "nothing" only builds it. Cold: what of that comes after the network is built, the tool's own
imports included. One thread everywhere. A tool runs on meta tensors if it can and counts no worse there; ours is
the trace and every static analysis.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from measurement import (
    RESULTS,
    cpu_seconds,
    hardware,
    markdown,
    own_script,
    process_cpu_seconds,
    software,
    write_csv,
)
from networks import NETWORKS, SHAPE, build

Tool = Callable[[Any, Any], float]
OURS = "cspanalyze"


def cspanalyze(model: Any, x: Any) -> float:
    from cspanalyze.analyses import ANALYSES, Grouping, run
    from cspanalyze.tracing import trace

    graph = trace(model, x)
    results = run(graph, ANALYSES, Grouping.of(graph))
    return next(result.total or 0 for result in results if result.metric == "macs")


def flop_counter_mode(model: Any, x: Any) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, x.device:
        model(x)
    return counter.get_total_flops() / 2


def fvcore(model: Any, x: Any) -> float:
    import torch
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, (x,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():
        return float(analysis.total())


def thop(model: Any, x: Any) -> float:
    from thop import profile

    return float(profile(model, (x,), verbose=False)[0])


def torchinfo(model: Any, x: Any) -> float:
    from torchinfo import summary

    return float(summary(model, input_data=x, verbose=0, device=x.device).total_mult_adds)


def ptflops_pytorch(model: Any, x: Any) -> float:
    return _ptflops(model, x, "pytorch")


def ptflops_aten(model: Any, x: Any) -> float:
    return _ptflops(model, x, "aten")


def _ptflops(model: Any, x: Any, backend: str) -> float:
    from cspanalyze.sources.torchvision_import import with_torchvision

    ptflops = with_torchvision(lambda: importlib.import_module("ptflops"))  # it imports torchvision
    macs, _ = ptflops.get_model_complexity_info(
        model,
        tuple(SHAPE[1:]),
        input_constructor=lambda _: x,
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
        backend=backend,
    )
    if macs is None:  # it prints its own failures and returns nothing
        raise RuntimeError("ptflops failed")
    return float(macs)


def nothing(model: Any, x: Any) -> float:
    return 0.0


TOOLS: dict[str, Tool] = {
    OURS: cspanalyze,
    "nothing": nothing,
    "FlopCounterMode": flop_counter_mode,
    "fvcore": fvcore,
    "thop": thop,
    "torchinfo": torchinfo,
    "ptflops (pytorch)": ptflops_pytorch,
    "ptflops (aten)": ptflops_aten,
}


@contextlib.contextmanager
def silence() -> Any:
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def best_device(tool: Tool, network: str, ours: float) -> str:
    """Where the tool runs in its favour: on meta if it can, and its count there is no further from ours.

    "building" is meta as well, in this package's own way.
    """
    if tool is cspanalyze:
        return "building"
    try:
        on_meta = tool(*build(network, "meta"))
    except Exception:  # each tool has its own way to fail on tensors without data
        return "cpu"
    return "meta" if abs(on_meta - ours) <= abs(tool(*build(network, "cpu")) - ours) else "cpu"


def measure(network: str, rounds: int) -> list[list[Any]]:
    """[network, tool, device, MACs, warm seconds, cold seconds, process seconds] for every tool."""
    devices, subjects, counts = {}, {}, {}
    for name, tool in TOOLS.items():
        with silence():
            devices[name] = best_device(tool, network, counts.get(OURS, 0))
            subjects[name] = build(network, devices[name])
            counts[name] = tool(*subjects[name])
    warm: dict[str, list[float]] = {name: [] for name in TOOLS}
    cold: dict[str, list[float]] = {name: [] for name in TOOLS}
    whole: dict[str, list[float]] = {name: [] for name in TOOLS}
    for number in range(rounds):
        for name, tool in TOOLS.items():
            model, x = subjects[name]
            gc.collect()  # nobody pays for the garbage of the tool before
            with silence():
                warm[name].append(cpu_seconds(lambda tool=tool, model=model, x=x: tool(model, x)))
            if number < 3:
                command = own_script(__file__, "--once", name, devices[name], network)
                seconds, printed = process_cpu_seconds(command)
                whole[name].append(seconds)
                cold[name].append(float(printed))
    return [
        [
            network,
            name,
            devices[name],
            int(counts[name]),
            *(round(median(times[name]), 4) for times in (warm, cold, whole)),
        ]
        for name in TOOLS
    ]


def report(rows: Sequence[Sequence[Any]]) -> str:
    """One line per network and tool, with the ratio to ours."""
    ours = {row[0]: row for row in rows if row[1] == OURS}
    lines = [
        [
            f"{network}, {tool}" + ("" if device == "cpu" else " (meta)"),
            f"{macs / 1e9:.3f}",
            *(
                text
                for seconds, base in zip(times, ours[network][4:], strict=True)
                for text in (f"{seconds:.3f}", f"{seconds / base:.1f}x")
            ),
        ]
        for network, tool, device, macs, *times in rows
    ]
    return markdown(["", "GMACs as counted", "warm, s", "ratio", "cold, s", "ratio", "process, s", "ratio"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--once", nargs=3, metavar=("TOOL", "DEVICE", "NETWORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        tool, device, network = arguments.once
        with silence():
            subject = build(network, device)
            seconds = cpu_seconds(lambda: TOOLS[tool](*subject))
        print(seconds)
        return
    rows = [row for network in arguments.networks for row in measure(network, arguments.rounds)]
    write_csv(
        RESULTS / "peers.csv", ["network", "tool", "device", "macs", "warm_cpu_s", "cold_cpu_s", "process_cpu_s"], rows
    )
    print(f"{hardware()}; {software()}; one thread; processor seconds\n\n{report(rows)}")


if __name__ == "__main__":
    main()
