"""The cache model against cache simulations of real runs: stages of whole networks, base and CSP, in two layouts.

    python benchmarks/cache_truth.py run        # minutes to an hour; writes results/cache_truth.csv
    python benchmarks/cache_truth.py compare    # the model as it is now against that file

The rules of the model come from single operators on cold caches (`cache_operators.py`), not from these networks, except
for `REVISED_AFTER`, which therefore stand apart in the summary.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cspanalyze.analyses import Grouping
from cspanalyze.cache import cache_traffic
from cspanalyze.pipeline.layouts import Layout, channels_last
from cspanalyze.pipeline.networks import Csp, twins_of
from cspanalyze.pipeline.simulation import Job, group_of, simulate
from cspanalyze.plans import read_plan
from cspanalyze.sources import Request, load, parse_inputs
from cspanalyze.tracing import trace

SMALL, LARGE = 256 * 1024, 1024 * 1024
NETWORKS = (("densenet121", 112), ("resnet50", 128), ("darknet53", 96), ("resnext50", 96))
REVISED_AFTER = ("resnet50",)
"""Two rules (thin matrix products, order in which memory is used again) were revised after the reading of these."""
LAYOUTS: tuple[Layout, ...] = ("nchw", "channels-last")
TRUTH = Path(__file__).parent / "results" / "cache_truth.csv"


class Reading(NamedTuple):
    """Bytes filled in one module of a run."""

    network: str
    size: int
    variant: str
    layout: Layout
    module: str
    small: int
    large: int


def request(network: str, size: int) -> Request:
    return Request(network, inputs=parse_inputs((f"1x3x{size}x{size}",)))


def measure(layouts: Sequence[Layout]) -> None:
    fresh = not TRUTH.exists()
    with TRUTH.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(Reading._fields)
        for layout in layouts:
            for network, size in NETWORKS:
                jobs = [Job(request(network, size), csp, layout) for csp in (None, Csp())]
                for variant, found in zip(("base", "CSP"), simulate(jobs, SMALL, LARGE), strict=True):
                    for each in found:
                        writer.writerow([network, size, variant, layout, each.module, each.small, each.large])
                file.flush()
                print(f"{network} {size} {layout}", file=sys.stderr)


class Point(NamedTuple):
    """A stage at one capacity: the model's bytes and the simulation's."""

    network: str
    stage: str
    variant: str
    layout: Layout
    capacity: int
    model: int
    truth: int

    @property
    def ratio(self) -> float:
        return self.model / self.truth


def points() -> Iterator[Point]:
    with TRUTH.open(encoding="utf-8") as file:
        readings = [Reading(*row[:5], int(row[5]), int(row[6])) for row in list(csv.reader(file))[1:]]  # type: ignore[arg-type]
    runs = dict.fromkeys((r.network, int(r.size), r.variant, r.layout) for r in readings)
    for network, size, variant, layout in runs:
        mine = [r for r in readings if (r.network, r.variant, r.layout) == (network, variant, layout)]
        loaded = load(request(network, size))
        model, args, kwargs = loaded.model, loaded.args, loaded.kwargs
        if variant == "CSP":
            model = twins_of(model, Csp())["CSP"].model
        plan = read_plan(model)
        if layout == "channels-last":
            model, args, kwargs = channels_last(model, args, kwargs)
        from dataclasses import replace

        graph = replace(trace(model, *args, kwargs=kwargs), plan=plan)
        grouping = Grouping.of(graph, "stage")
        traffic = cache_traffic(graph, (SMALL, LARGE))
        find = group_of(graph, grouping)
        for at, capacity in enumerate((SMALL, LARGE)):
            modelled = dict.fromkeys(grouping.names, 0)
            measured = dict.fromkeys(grouping.names, 0)
            for group, amounts in zip(grouping.of_op, traffic.fills, strict=True):
                modelled[group] += amounts[at]
            for reading in mine:
                measured[find(reading.module)] += (reading.small, reading.large)[at]
            for stage in grouping.names:
                if stage.startswith("stage"):
                    yield Point(network, stage, variant, layout, capacity, modelled[stage], measured[stage])


def compare() -> None:
    found = list(points())
    print(
        "| network | stage | layout | capacity | base MB: simulated | model | CSP MB: simulated | model "
        "| CSP/base: simulated | model |"
    )
    print("|---|---|---|--:|--:|--:|--:|--:|--:|--:|")
    twins = {(p.network, p.stage, p.layout, p.capacity): p for p in found if p.variant == "CSP"}
    pairs = [
        (base, twins[base.network, base.stage, base.layout, base.capacity]) for base in found if base.variant == "base"
    ]
    for base, twin in pairs:
        print(
            f"| {base.network} | {base.stage} | {base.layout} | {base.capacity >> 10} KiB | {base.truth / 1e6:.2f} | "
            f"{base.model / 1e6:.2f} | {twin.truth / 1e6:.2f} | {twin.model / 1e6:.2f} | "
            f"{twin.truth / base.truth:.3f} | {twin.model / base.model:.3f} |"
        )
    print(
        "\n| networks | layout | capacity | points | median model/simulated | mean absolute error | within 15 % "
        "| CSP/base: mean error, points | largest |"
    )
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    keys = dict.fromkeys((p.layout, p.capacity) for p in found)
    for title, revised in (("never looked at", False), ("rules revised after", True)):
        chosen = [pair for pair in pairs if (pair[0].network in REVISED_AFTER) == revised]
        for layout, capacity in keys:
            some = [pair for pair in chosen if (pair[0].layout, pair[0].capacity) == (layout, capacity)]
            summarise(f"{title} | {layout} | {capacity >> 10} KiB", some)
        summarise(f"{title} | both | both", chosen)


def summarise(title: str, pairs: Sequence[tuple[Point, Point]]) -> None:
    """A line on some stages, each with its twin."""
    if not pairs:
        return
    ratios = [point.ratio for pair in pairs for point in pair]
    errors = [abs(ratio - 1) for ratio in ratios]
    moved = [100 * abs(twin.model / base.model - twin.truth / base.truth) for base, twin in pairs]
    print(
        f"| {title} | {len(ratios)} | {statistics.median(ratios):.2f} | {100 * statistics.mean(errors):.1f} % "
        f"| {100 * statistics.mean(error <= 0.15 for error in errors):.0f} % | {statistics.mean(moved):.1f} "
        f"| {max(moved):.1f} |"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        measure([layout for layout in LAYOUTS if layout in sys.argv[2:]] or LAYOUTS)
    else:
        compare()
