"""Time per operation and memory as networks grow: chains of layers, and transformers up to 70 B parameters.

    python benchmarks/scaling.py [--repeats 3]

Each case runs in a fresh process that has traced one small network before: trace and every static analysis, processor
time, median over repeats; and the largest resident memory of the process, imports included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import Any

from measurement import RESULTS, cpu_seconds, hardware, markdown, own_script, software, write_csv

CHAINS = (100, 300, 1_000, 3_000, 10_000, 30_000)


@dataclass(frozen=True)
class Transformer:
    """A decoder like LLaMA: grouped-query attention, gated feed-forward, RMS norms."""

    width: int
    depth: int
    heads: int
    key_heads: int
    hidden: int
    vocabulary: int = 32_000
    length: int = 4_096


TRANSFORMERS = {
    "1B": Transformer(2_048, 16, 32, 8, 8_192, 128_256),
    "7B": Transformer(4_096, 32, 32, 32, 11_008),
    "13B": Transformer(5_120, 40, 40, 40, 13_824),
    "70B": Transformer(8_192, 80, 64, 8, 28_672),
}


def chain(layers: int) -> tuple[Any, Any]:
    """`layers` times convolution, batch norm, ReLU; 32 channels on 16x16 maps."""
    import torch
    from torch import nn

    from cspanalyze.tracing import building

    with building():
        parts = [nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()) for _ in range(layers)]
    return nn.Sequential(*parts), torch.empty(1, 32, 16, 16, device="meta")


def transformer(config: Transformer) -> tuple[Any, Any]:
    """The decoder and one sequence of token numbers."""
    import torch
    from decoder import Decoder

    from cspanalyze.tracing import building

    with building():
        model = Decoder(config)
    return model, torch.empty(1, config.length, dtype=torch.long, device="meta")


def analyse(model: Any, x: Any) -> tuple[int, int]:
    """Number of operations, and parameters."""
    from cspanalyze.analyses import ANALYSES, Grouping, run
    from cspanalyze.tracing import trace

    graph = trace(model, x)
    results = {result.metric: result.total for result in run(graph, ANALYSES, Grouping.of(graph))}
    return len(graph.ops), int(results["params"] or 0)


def measure(case: str, repeats: int) -> dict[str, Any]:
    """One case, in this process."""
    import torch

    torch.set_num_threads(1)
    analyse(*chain(20))
    analyse(*transformer(Transformer(64, 2, 4, 2, 128, 100, 16)))
    kind, _, size = case.partition(":")
    model, x = chain(int(size)) if kind == "chain" else transformer(TRANSFORMERS[size])
    operations, parameters = analyse(model, x)
    seconds = median(cpu_seconds(lambda: analyse(model, x)) for _ in range(repeats))
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "case": case,
        "operations": operations,
        "parameters": parameters,
        "cpu_s": round(seconds, 4),
        "microseconds_per_operation": round(1e6 * seconds / operations, 2),
        "peak_rss_MB": round(rss / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.repeats)))
        return
    cases = [f"chain:{size}" for size in CHAINS] + [f"transformer:{size}" for size in TRANSFORMERS]
    found = []
    for case in cases:
        # Small networks take milliseconds: as many repeats as give a steady median.
        repeats = arguments.repeats * (20 if case in ("chain:100", "chain:300", "chain:1000") else 1)
        command = own_script(__file__, "--case", case, "--repeats", str(repeats))
        found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    write_csv(RESULTS / "scaling.csv", list(found[0]), [list(record.values()) for record in found])
    lines = [[str(value) if isinstance(value, str) else f"{value:,}" for value in record.values()] for record in found]
    header = ["", "operations", "parameters", "s", "µs per operation", "peak RSS, MB"]
    print(f"{hardware()}; {software()}; one thread; processor seconds\n\n{markdown(header, lines)}")
    chains = [record["microseconds_per_operation"] for record in found if record["case"].startswith("chain")]
    print(f"\nchains: slowest to fastest {max(chains) / min(chains):.2f}x per operation")


if __name__ == "__main__":
    main()
