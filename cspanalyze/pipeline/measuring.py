"""From options to a `Traffic`: the profile, and what simulations and counters read beside the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from cspanalyze.hardware import DEFAULT, find_profile
from cspanalyze.measure import callgrind
from cspanalyze.pipeline.traffic import Reading, Traffic

if TYPE_CHECKING:
    from cspanalyze.cache import Concat, Kernels
    from cspanalyze.pipeline.layouts import Layout
    from cspanalyze.pipeline.networks import Csp
    from cspanalyze.sources import Request

Source = Literal["simulated", "counter"]


def traffic_of(profile: str, capacity: int | None, kernels: Kernels | None, concat: Concat, layout: Layout) -> Traffic:
    """How to model traffic; a profile that is named (by name or file) adds roofline and energy.

    Raises:
        UsageError: there is no such profile.
    """
    return Traffic(find_profile(profile or DEFAULT), capacity, kernels, concat, layout, bound=bool(profile))


def require(source: Source) -> None:
    """Refuse early what this machine cannot measure.

    Raises:
        SimulationError: valgrind is missing.
    """
    if source == "simulated":
        callgrind.require_valgrind()


def measured(traffic: Traffic, source: Source, request: Request, csp: Csp | None) -> Traffic:
    """The same with readings of the base, then of its twins where there are any.

    Raises:
        CspanalyzeError: the measurement is not possible here, or failed.
    """
    if source == "counter":
        from cspanalyze.pipeline.counters import counted

        return replace(traffic, readings=counted(request, csp, traffic.layout))
    from cspanalyze.pipeline.simulation import jobs_of, simulate

    capacity = callgrind.rounded(traffic.onchip_bytes)
    found = simulate(
        jobs_of(request, csp, traffic.layout), capacity, 2 * capacity
    )  # the smaller cache has no other in front of it
    note = "data that the real float32 run on one core brings in (valgrind callgrind, lines of 64 B, 16-way LRU)"
    readings = tuple(
        Reading("simulated", tuple((each.module, each.small) for each in fills), capacity=capacity, note=note)
        for fills in found
    )
    return replace(traffic, readings=readings)
