"""Does a partial stage lower the duplication of gradients? Structure, untrained and trained weights of small networks.

    python benchmarks/gradient_evidence.py [--draws 5]

Handwritten digits, batches of 64; every network of a draw has the same seed and sees the same batches, so differences
are paired. Writes `results/gradient_evidence.csv`; `gradient_evidence_page.py` makes the page of it. About five minutes
of one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from evidence_networks import INPUT, NETWORKS, build
from measurement import RESULTS, hardware, software, write_csv

from cspanalyze import trace
from cspanalyze.gradient_flow import Duplication, GradientFlow, duplication, gradient_flow
from cspanalyze.gradient_flow.measured import FIGURES, Draw, Estimate, estimate, paired_difference
from cspanalyze.graph import ModelGraph
from cspanalyze.measure.gradients import Batches, digits, measure, train

BATCH = 64
FILE = RESULTS / "gradient_evidence.csv"
STATES = (0, 100)
"""Training steps after which gradients are measured; momentum begins anew at each."""
PAIRS = (
    ("dense", "CSP"), ("dense", "control"), ("control", "CSP"), ("dense", "CSP first"), ("dense", "CSP last"),
    ("residual", "PRN"), ("residual", "plain"),
)  # fmt: skip
"""Network and the one it is compared with: the difference is the second less the first."""
HEADER = ("steps", "network", "less", "figure", "mean", "half_width", "draws", "null")


@dataclass
class Case:
    """One network: its structure, and its draws in both states."""

    graph: ModelGraph
    flow: GradientFlow
    draws: dict[int, list[Draw]] = field(default_factory=lambda: {steps: [] for steps in STATES})
    losses: dict[int, list[float]] = field(default_factory=lambda: {steps: [] for steps in STATES[1:]})

    @property
    def structure(self) -> Duplication:
        return duplication(self.flow)


def run(draws: int) -> dict[str, Case]:
    batches, cases = digits(INPUT, BATCH), {}
    for seed in range(draws):
        for name in NETWORKS:
            start = time.perf_counter()
            one_draw(name, seed, batches, cases)
            print(f"draw {seed + 1}, {name}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return cases


def one_draw(name: str, seed: int, batches: Batches, cases: dict[str, Case]) -> None:
    model, batch = build(name, seed), batches.draw(seed)
    if name not in cases:
        graph = trace(model, *batch.args, name=name, mode="train")
        cases[name] = Case(graph, gradient_flow(graph))
    case = cases[name]
    done = 0
    for steps in STATES:
        if steps:
            case.losses[steps].append(train(model, batches, steps - done, seed, first=done))
        done = steps
        case.draws[steps].append(measure(model, batch, case.graph, case.flow, seed=seed))


def rows(cases: dict[str, Case]) -> Iterable[Sequence[object]]:
    for name, case in cases.items():
        found = case.structure
        exact = {
            "layers": found.layers, "terms": found.terms, "distinct": found.distinct,
            "term_channels": found.term_channels, "distinct_channels": found.distinct_channels,
            "D": float(found.ratio or 0), "D_c": float(found.channel_ratio or 0),
        }  # fmt: skip
        for figure, value in exact.items():
            yield "structure", name, "", figure, value, "", "", ""
        for steps, losses in case.losses.items():
            yield steps, name, "", "training_loss", *_told(estimate(losses)), ""
        for steps in STATES:
            for figure in FIGURES:
                null = estimate([draw.nulls.get(figure) for draw in case.draws[steps]]).mean
                value = estimate([draw.figures.get(figure) for draw in case.draws[steps]])
                yield steps, name, "", figure, *_told(value), "" if null is None else null
    for base, other in PAIRS:
        for steps in STATES:
            pairs = paired_difference(other, base, cases[other].draws[steps], cases[base].draws[steps])
            for figure, value in pairs.figures:
                yield steps, other, base, figure, *_told(value), ""


def _told(value: Estimate) -> tuple[object, ...]:
    return tuple("" if part is None else part for part in (value.mean, value.half_width, value.draws))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    cases = run(options.draws)
    write_csv(FILE, HEADER, list(rows(cases)))
    print(f"{hardware()}; {software()}; {time.process_time() - start:.0f} s of one core; wrote {FILE.name}")


if __name__ == "__main__":
    main()
