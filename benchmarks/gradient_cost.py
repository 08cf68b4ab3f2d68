"""What gradient duplication costs: the structure by edges, and measured gradients beside an ordinary backward pass.

    python benchmarks/gradient_cost.py [--batch 8]

Processor time on one thread; memory is the largest resident size of a fresh process, less that before the forward pass.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

from measurement import RESULTS, hardware, markdown, own_script, software, write_csv

STRUCTURES = (("densenet121", {}), ("densenet201", {}), ("resnet50", {}), ("resnet152", {}), ("cspdarknet53", {}))
DEPTHS = (100, 200, 400, 800)
WAYS = ("ordinary", "measured", "measured without signal-to-noise")


def structures() -> list[list[str]]:
    import torch
    from evidence_networks import residual

    from cspanalyze import trace, zoo
    from cspanalyze.analyses import Grouping
    from cspanalyze.gradient_flow import gradient_flow, gradient_results
    from cspanalyze.tracing import building

    rows = []
    cases = [(name, lambda name=name: zoo.create(name), 224) for name, _ in STRUCTURES]
    cases += [(f"residual, 2 x {depth} blocks", lambda depth=depth: residual(1.0, depth), 32) for depth in DEPTHS]
    for name, build, size in cases:
        with building():
            model = build()
        graph = trace(model, torch.empty(1, 3, size, size, device="meta"))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            flow = gradient_flow(graph)
            gradient_results(flow, Grouping.of(graph))
            best = min(best, time.process_time() - start)
        edges = sum(len(intake) for intake in flow.intakes)
        rows.append([name, str(len(flow.layers)), str(edges), f"{best:.3f}", f"{1e6 * best / edges:.0f}"])
    return rows


def one_pass(way: str, batch: int) -> dict[str, float]:
    """Seconds and bytes of one way to go backward through ResNet-50, in this process."""
    import torch

    from cspanalyze import trace, zoo
    from cspanalyze.gradient_flow import gradient_flow
    from cspanalyze.measure.gradients import drawing, synthetic

    torch.set_num_threads(1)
    model = zoo.create("resnet50").train()
    given = synthetic((torch.empty(batch, 3, 224, 224, device="meta"),), {}).draw(0)
    graph = trace(model, *given.args, mode="train")
    flow = gradient_flow(graph)
    model(given.args[0][:2]).sum().backward()  # warm
    model.zero_grad()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    backward = 0.0
    if way == "ordinary":
        loss = model(*given.args).square().sum()
        middle = time.process_time()
        loss.backward()
        backward = time.process_time() - middle
    else:
        if way != "measured":
            drawing.signal_to_noise = lambda *_: {}  # type: ignore[assignment]
        drawing.measure(model, given, graph, flow)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "backward": backward, "bytes": peak * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_pass(options.one, options.batch)))
        return
    print(hardware(), software(), sep="; ")
    header = ["network", "layers", "edges", "seconds", "microseconds an edge"]
    rows = structures()
    print(markdown(header, rows))
    write_csv(RESULTS / "gradient_structure.csv", header, rows)
    found = {}
    for way in WAYS:
        command = own_script(__file__, "--one", way, "--batch", str(options.batch))
        found[way] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ordinary = found["ordinary"]
    header = ["ResNet-50", "batch", "seconds", "ordinary backward passes", "GB", "of an ordinary pass"]
    rows = [
        [
            way, str(options.batch), f"{each['seconds']:.1f}", f"{each['seconds'] / ordinary['backward']:.2f}",
            f"{each['bytes'] / 1e9:.2f}", f"{each['bytes'] / ordinary['bytes']:.2f}",
        ]
        for way, each in found.items()
    ]  # fmt: skip
    print(markdown(header, rows))
    write_csv(RESULTS / "gradient_measured.csv", header, rows)


if __name__ == "__main__":
    sys.exit(main())
