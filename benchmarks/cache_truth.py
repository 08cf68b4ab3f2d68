"""The cache model against cache simulations of real runs: stages of whole networks, base and CSP, in two layouts.

    python benchmarks/cache_truth.py run        # minutes to an hour; writes results/cache_truth.csv
    python benchmarks/cache_truth.py compare    # the model as it is now against that file

No rule of the model was made from any of these networks: those came from single operators on cold caches.
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
NETWORKS = (("resnet50", 128), ("densenet121", 128), ("darknet53", 96), ("resnext50", 96))
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
    shifts: dict[tuple[Layout, int], list[float]] = {}
    twins = {(p.network, p.stage, p.layout, p.capacity): p for p in found if p.variant == "CSP"}
    for base in (p for p in found if p.variant == "base"):
        twin = twins.get((base.network, base.stage, base.layout, base.capacity))
        if twin is None:
            continue
        true, modelled = twin.truth / base.truth, twin.model / base.model
        shifts.setdefault((base.layout, base.capacity), []).append(100 * (modelled - true))
        print(
            f"| {base.network} | {base.stage} | {base.layout} | {base.capacity >> 10} KiB | {base.truth / 1e6:.2f} | "
            f"{base.model / 1e6:.2f} | {twin.truth / 1e6:.2f} | {twin.model / 1e6:.2f} | {true:.3f} | {modelled:.3f} |"
        )
    print(
        "\n| layout | capacity | points | median model/simulated | mean absolute error | within 15 % "
        "| CSP/base: mean error, points | largest |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for layout, capacity in [*shifts, ("all", 0)]:
        ratios = [p.ratio for p in found if layout == "all" or (p.layout, p.capacity) == (layout, capacity)]
        moved = [s for key, each in shifts.items() if layout == "all" or key == (layout, capacity) for s in each]
        errors = [abs(ratio - 1) for ratio in ratios]
        print(
            f"| {layout} | {f'{capacity >> 10} KiB' if capacity else ''} | {len(ratios)} "
            f"| {statistics.median(ratios):.2f} "
            f"| {100 * statistics.mean(errors):.1f} % | {100 * statistics.mean(e <= 0.15 for e in errors):.0f} % "
            f"| {statistics.mean(map(abs, moved)):.1f} | {max(map(abs, moved)):.1f} |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        measure([layout for layout in LAYOUTS if layout in sys.argv[2:]] or LAYOUTS)
    else:
        compare()
