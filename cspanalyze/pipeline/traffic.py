"""Memory traffic of a traced network from every source at hand: cache model, roofline, simulation, counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from cspanalyze.hardware import DEFAULT, Profile, find_profile
from cspanalyze.results import SELF, Curve, Method, Report, Result, Row

if TYPE_CHECKING:
    from cspanalyze.analyses import Grouping, View
    from cspanalyze.cache import CacheTraffic, Concat
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline.layouts import Layout

_CONCAT = {"copy": "copies", "view": "is free"}
HEAVIEST = 3
"""Layers named as those that move most."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes of one source outside the trace: `of_module` per module path, or in `total` for the whole network.

    `capacity` is that of the cache they were read at, None for the machine's own.
    """

    method: Method
    of_module: tuple[tuple[str, int], ...] = ()
    total: int | None = None
    capacity: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How memory traffic is to be modelled, and what was read of it elsewhere.

    `capacity` (bytes on chip) and `kernels` replace those of the profile; `bound` asks for roofline and energy;
    `readings` are those of the base, then of its twins.
    """

    profile: Profile = field(default_factory=lambda: find_profile(DEFAULT))
    capacity: int | None = None
    kernels: Literal["cpu-onednn", "ideal"] | None = None
    concat: Concat = "copy"
    layout: Layout = "nchw"
    bound: bool = False
    readings: tuple[Reading | None, ...] = ()

    @property
    def onchip_bytes(self) -> int:
        """The capacity that counts."""
        return self.profile.onchip_bytes if self.capacity is None else self.capacity


def default_traffic() -> Traffic:
    """The cache of the default profile."""
    return Traffic(find_profile(DEFAULT))


def with_traffic(report: Report, graph: ModelGraph, grouping: Grouping, traffic: Traffic, number: int) -> Report:
    """The report with the traffic of its network; `number` is 0 for the base, then 1 up."""
    from cspanalyze.analyses import View
    from cspanalyze.cache import CAPACITIES, cache_traffic
    from cspanalyze.roofline import roofline

    reading = traffic.readings[number] if number < len(traffic.readings) else None
    # Where one network was simulated, all are modelled as that run was: the same kernels and capacity.
    simulated = next((each.capacity for each in traffic.readings if each is not None and each.capacity), None)
    kernels = traffic.kernels or (traffic.profile.kernels if simulated is None else "cpu-onednn")
    capacity = simulated or traffic.onchip_bytes
    view = View(graph, grouping).forward
    found = cache_traffic(graph, (*CAPACITIES, capacity), kernels=kernels, concat=traffic.concat)
    at = found.capacities.index(capacity)
    fills, write_backs = ([row[at] for row in rows] for rows in (found.fills, found.write_backs))
    chip = f" ({traffic.profile.name})" if capacity == traffic.profile.onchip_bytes else ""
    walks = f"walks of {kernels}, {traffic.layout}, concat {_CONCAT[traffic.concat]}, granule {_size(found.granule)}"
    note = f"{_size(capacity)} on chip{chip}, LRU, cold start, {walks}"
    results = [
        _summed(view, "traffic_bytes", fills, note),
        _summed(view, "write_back_bytes", write_backs, "model only: not validated"),
    ]
    if traffic.bound:
        moved = [fill + back for fill, back in zip(fills, write_backs, strict=True)]
        results += roofline(view, moved, traffic.profile)
    if reading is not None:
        results += _read(view, reading, fills)
    curve = _curve(found, set(CAPACITIES), walks)
    notes = (*report.subject.notes, *_heaviest(view, fills, report.subject.variant))
    subject = replace(report.subject, notes=notes)
    return replace(report, subject=subject, results=(*report.results, *results), curves=(*report.curves, curve))


def _summed(view: View, metric: str, amounts: Sequence[int], note: str) -> Result:
    sums: dict[tuple[str, str], int] = {}
    for op, amount, group in zip(view.graph.ops, amounts, view.grouping.of_op, strict=True):
        if amount:
            sums[group, op.name] = sums.get((group, op.name), 0) + amount
    return replace(view.total_of(metric, "bytes", sums, note=note), method="cache-model")


def _curve(found: CacheTraffic, shown: set[int], note: str) -> Curve:
    totals = [sum(row[at] for row in found.fills) for at in range(len(found.capacities))]
    points = tuple((size, total) for size, total in zip(found.capacities, totals, strict=True) if size in shown)
    return Curve("traffic_bytes", "bytes", "on-chip capacity", "bytes", "cache-model", points, note)


def _read(view: View, reading: Reading, fills: Sequence[int]) -> list[Result]:
    """What was simulated or counted, and by how much the model is off."""
    from cspanalyze.pipeline.simulation import group_of

    metric = "simulated_bytes" if reading.method == "simulated" else "counted_bytes"
    if not reading.of_module:
        names = view.grouping.names
        rows = tuple(Row(name, "", None) for name in names)
        return [Result(metric, "bytes", reading.method, rows, reading.total, additive=False, note=reading.note)]
    find = group_of(view.graph, view.grouping)
    sums: dict[str, int] = dict.fromkeys(view.grouping.names, 0)
    for module, amount in reading.of_module:
        sums[find(module)] += amount
    modelled: dict[str, int] = dict.fromkeys(view.grouping.names, 0)
    for group, amount in zip(view.grouping.of_op, fills, strict=True):
        modelled[group] += amount
    total = sum(sums.values())
    measured = tuple(Row(name, "", amount) for name, amount in sums.items())
    errors = tuple(Row(n, "", 100 * (modelled[n] / s - 1) if s else None) for n, s in sums.items())
    return [
        Result(metric, "bytes", reading.method, measured, total, note=reading.note),
        Result(
            "model_error_percent", "%", reading.method, errors,
            100 * (sum(modelled.values()) / total - 1) if total else None, additive=False,
        ),
    ]  # fmt: skip


def _heaviest(view: View, fills: Sequence[int], variant: str) -> tuple[str, ...]:
    """A sentence on the layers that bring in most."""
    layers: dict[str, int] = {}
    for op, amount in zip(view.graph.ops, fills, strict=True):
        layers[op.module] = layers.get(op.module, 0) + amount
    total = sum(layers.values())
    ranked = sorted(layers.items(), key=lambda item: -item[1])[:HEAVIEST]
    if len(layers) <= HEAVIEST or not total:
        return ()
    named = ", ".join(f"{module or SELF} {100 * amount / total:.1f} %" for module, amount in ranked)
    of = f" of {variant}" if variant else ""
    return (f"the layers{of} that read most from memory, by the cache model: {named}",)


def _size(nbytes: int) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if nbytes >= size:
            return f"{nbytes / size:g} {unit}"
    return f"{nbytes} B"
