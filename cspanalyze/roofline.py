"""Roofline: the least time and the energy that arithmetic and memory traffic allow, operation by operation.

Williams, Waterman and Patterson, CACM 52(4), 2009. A bound, never a prediction: no kernel is that good, and what runs
between kernels is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cspanalyze.analyses import View
from cspanalyze.hardware import Profile
from cspanalyze.results import Number, Result, Row

PICOJOULES_PER_MAC, PICOJOULES_PER_DRAM_BYTE = 4.6, 160.0
"""Horowitz, "Computing's energy problem", ISSCC 2014, 45 nm: a float32 multiplication takes 3.7 pJ, an addition 0.9 pJ,
64 bits of DRAM 1.3 to 2.6 nJ. Han et al. (EIE, ISCA 2016) tabulate the latter as 640 pJ per 32 bits."""
ENERGY_SOURCE = (
    "estimate from Horowitz, ISSCC 2014, 45 nm: 3.7 + 0.9 pJ per float32 multiply and add, 640 pJ per 32 bits of DRAM "
    "(the low end of what it gives); on-chip memory and everything else left out"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time of one operation on a profile, in seconds; None where the profile does not know.

    `compute` = 2 x MACs / peak arithmetic; `memory` = bytes / bandwidth.
    """

    compute: float | None
    memory: float | None

    @property
    def seconds(self) -> float | None:
        """The larger of the two, or the only one known."""
        known = [time for time in (self.compute, self.memory) if time is not None]
        return max(known, default=None)

    @property
    def by_memory(self) -> bool:
        """Whether memory is what binds."""
        return self.memory is not None and self.memory > (self.compute or 0.0)


def bounds(view: View, traffic: Sequence[int], profile: Profile) -> list[Bound]:
    """The bound of every operation; `traffic` are the bytes that each moves between memory and chip."""
    graph, found = view.graph, []
    for op, cost, amount in zip(graph.ops, view.costs, traffic, strict=True):
        dtype = graph.spec(op.outputs[0]).dtype if op.outputs else ""
        macs = cost.macs if cost is not None else 0
        peak, bandwidth = profile.peak_flops(dtype), profile.dram_bytes_per_second
        compute = 0.0 if not macs else None if peak is None else 2 * macs / peak
        found.append(Bound(compute, None if bandwidth is None else amount / bandwidth))
    return found


def roofline(view: View, traffic: Sequence[int], profile: Profile) -> tuple[Result, ...]:
    """Per group: least time, share of it bound by memory, arithmetic intensity, energy estimate.

    Empty where the profile knows no bandwidth.
    """
    if profile.dram_bytes_per_second is None:
        return ()
    each = bounds(view, traffic, profile)
    times: dict[str, float] = {}
    by_memory: dict[str, float] = {}
    macs: dict[str, int] = {}
    moved: dict[str, int] = {}
    for bound, amount, cost, group in zip(each, traffic, view.costs, view.grouping.of_op, strict=True):
        seconds = bound.seconds or 0.0
        times[group] = times.get(group, 0.0) + seconds
        by_memory[group] = by_memory.get(group, 0.0) + (seconds if bound.by_memory else 0.0)
        macs[group] = macs.get(group, 0) + (cost.macs if cost is not None else 0)
        moved[group] = moved.get(group, 0) + amount
    unknown_peak = any(bound.compute is None for bound in each)
    note = f"max(2 x MACs / peak, bytes / bandwidth) of {profile.name}, summed over operations; a bound, no prediction"
    if unknown_peak:
        note += "; its peak arithmetic at this dtype is unknown, so only memory counts"
    if not profile.verified:
        note += f"; profile not verified ({profile.confidence or 'no source'})"
    names = view.grouping.names
    rows = tuple(Row(name, "", 1e6 * times.get(name, 0.0)) for name in names)
    joules = {name: _millijoules(macs.get(name, 0), moved.get(name, 0)) for name in names}
    energy = tuple(Row(name, "", joules[name]) for name in names)
    return (
        Result("roofline_us", "us", "cache-model", rows, 1e6 * sum(times.values()), note=note),
        _ratio("memory_bound_percent", "%", names, by_memory, times, 100.0),
        _ratio("arithmetic_intensity", "FLOP/byte", names, macs, moved, 2.0),
        Result("energy_mj", "mJ", "cache-model", energy, sum(joules.values()), note=ENERGY_SOURCE),
    )


def _millijoules(macs: int, moved: int) -> float:
    return 1e-9 * (PICOJOULES_PER_MAC * macs + PICOJOULES_PER_DRAM_BYTE * moved)


def _ratio(
    metric: str, unit: str, names: Sequence[str], above: dict[str, float] | dict[str, int],
    below: dict[str, float] | dict[str, int], factor: float,
) -> Result:  # fmt: skip
    def share(over: float, under: float) -> Number:
        return factor * over / under if under else None

    rows = tuple(Row(name, "", share(above.get(name, 0), below.get(name, 0))) for name in names)
    total = share(sum(above.values()), sum(below.values()))
    return Result(metric, unit, "cache-model", rows, total, additive=False)
