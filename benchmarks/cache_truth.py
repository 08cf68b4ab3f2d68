"""The cache model against cache simulations of real runs: stages of whole networks, base and CSP, in two layouts.

    python benchmarks/cache_truth.py run                      # hours; adds what results/cache_truth.csv has not
    python benchmarks/cache_truth.py run resnet18 nchw        # one network, one layout
    python benchmarks/cache_truth.py compare                  # the model as it is now against that file

The rules of the model come from single operators on cold caches (`cache_operators.py`), not from these networks, except
for `REVISED_AFTER`, which therefore stand apart in the summary.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from cspanalyze.analyses import Grouping
from cspanalyze.cache import cache_traffic
from cspanalyze.pipeline.layouts import Layout, channels_last
from cspanalyze.pipeline.networks import Csp, twins_of
from cspanalyze.pipeline.simulation import Job, group_of, simulate
from cspanalyze.plans import read_plan
from cspanalyze.sources import Request, load, parse_inputs
from cspanalyze.tracing import trace

SMALL, LARGE = 256 * 1024, 1024 * 1024
NETWORKS = (
    ("densenet121", 112), ("resnet50", 128), ("darknet53", 96), ("resnext50_32x4d", 72), ("resnet18", 72),
    ("vovnet39", 72),
)  # fmt: skip
REVISED_AFTER = ("resnet50", "densenet121")
"""After reading these, rules were revised: thin matrix products; where memory is used again, and MKL's buffers."""
Code = Literal["apart", "shared"]
LAYOUTS: tuple[Layout, ...] = ("nchw", "channels-last")
TRUTH = Path(__file__).parent / "results" / "cache_truth.csv"


class Reading(NamedTuple):
    """Bytes filled in one module of a run.

    `code` says whether the large cache held instructions too, as in the oldest readings; they take room from data.
    """

    network: str
    size: int
    variant: str
    layout: Layout
    module: str
    small: int
    large: int
    code: Code


def request(network: str, size: int) -> Request:
    return Request(network, inputs=parse_inputs((f"1x3x{size}x{size}",)))


def measure(words: Sequence[str]) -> None:
    """Read what is missing of the networks and layouts that the words name; of all, where they name none."""
    fresh = not TRUTH.exists()
    there = {(reading.network, reading.layout) for reading in readings()} if not fresh else set()
    layouts = [layout for layout in LAYOUTS if layout in words] or LAYOUTS
    networks = [network for network in NETWORKS if network[0] in words] or NETWORKS
    with TRUTH.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(Reading._fields)
        for layout in layouts:
            for network, size in networks:
                if (network, layout) in there:
                    continue
                jobs = [Job(request(network, size), csp, layout) for csp in (None, Csp())]
                for variant, found in zip(("base", "CSP"), simulate(jobs, SMALL, LARGE), strict=True):
                    for each in found:
                        writer.writerow([network, size, variant, layout, each.module, each.small, each.large, "apart"])
                file.flush()
                print(f"{network} {size} {layout}", file=sys.stderr)


class Point(NamedTuple):
    """A stage at one capacity: the model's bytes and the simulation's."""

    network: str
    stage: str
    variant: str
    layout: Layout
    capacity: int
    code: Code
    model: int
    truth: int

    @property
    def ratio(self) -> float:
        return self.model / self.truth


def readings() -> list[Reading]:
    with TRUTH.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [Reading(*row[:5], int(row[5]), int(row[6]), row[7]) for row in rows]  # type: ignore[arg-type]


def points() -> Iterator[Point]:
    known = readings()
    runs = dict.fromkeys((r.network, int(r.size), r.variant, r.layout) for r in known)
    for network, size, variant, layout in runs:
        mine = [r for r in known if (r.network, r.variant, r.layout) == (network, variant, layout)]
        loaded = load(request(network, size))
        model, args, kwargs = loaded.model, loaded.args, loaded.kwargs
        if variant == "CSP":
            model = twins_of(model, Csp())["CSP"].model
        plan = read_plan(model)
        if layout == "channels-last":
            model, args, kwargs = channels_last(model, args, kwargs)
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
                    code = mine[0].code if at else "apart"
                    yield Point(network, stage, variant, layout, capacity, code, modelled[stage], measured[stage])


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
    keys = dict.fromkeys((p.code, p.layout, p.capacity) for p in found)
    for title, revised in (("never looked at", False), ("rules revised after", True)):
        chosen = [pair for pair in pairs if (pair[0].network in REVISED_AFTER) == revised]
        for code, layout, capacity in keys:
            some = [
                pair for pair in chosen if (pair[0].code, pair[0].layout, pair[0].capacity) == (code, layout, capacity)
            ]
            summarise(f"{title} | {layout} | {capacity >> 10} KiB{', with code' if code == 'shared' else ''}", some)
        summarise(f"{title} | all | all", chosen)
        for network in dict.fromkeys(pair[0].network for pair in chosen):
            summarise(f"{network} | all | all", [pair for pair in chosen if pair[0].network == network])


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
        measure(sys.argv[2:])
    else:
        compare()
