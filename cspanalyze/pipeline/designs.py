"""Every way to make a network partial, one row each, on any executor. No torch at import."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from cspanalyze.designs import DesignRow
from cspanalyze.pipeline.networks import Csp
from cspanalyze.pipeline.sweeping import completed, told
from cspanalyze.sources import Request

if TYPE_CHECKING:
    from cspanalyze.pipeline.networks import Traced
    from cspanalyze.results import StageChange

METRICS = ("macs", "params", "cio", "unfused_bytes", "fused_bytes", "peak_bytes")
FUSIONS = ("csp", "first", "last")
PRESETS = ("paper", "dropin", "densenet")
INNERS = ("keep", "scale")
_ONE_AT_A_TIME = threading.Lock()  # module hooks belong to the process, and a cluster's worker may run several threads


@dataclass(frozen=True, slots=True)
class Design:
    """A network, and how it is made partial; `csp` None for the network itself.

    `request` says how the network is built and fed, None for its own way.
    """

    model: str
    csp: Csp | None = None
    request: Request | None = None


def designs(
    models: Iterable[str],
    gammas: Sequence[float] = (0.5,),
    fusions: Sequence[Any] = ("csp",),
    presets: Sequence[Any] = ("auto",),
    inners: Sequence[Any] = ("keep",),
    *,
    control: bool = False,
    request: Request | None = None,
) -> tuple[Design, ...]:
    """Every network by itself and in every combination; controls have no gamma, and so no inner widths to scale.

    All are built and fed as `request` says, whatever network it names.
    """
    made: list[Design] = []
    for model in models:
        made.append(Design(model))
        for preset, fusion in product(presets, fusions):
            if control:
                made.append(Design(model, Csp(fusion=fusion, preset=preset, control=True)))
            made += [Design(model, Csp(gamma, fusion, preset, inner)) for inner, gamma in product(inners, gammas)]
    return tuple(
        each if request is None else replace(each, request=replace(request, model=each.model)) for each in made
    )


def sweep_designs(tasks: Sequence[Design], executor: Executor) -> Iterator[DesignRow]:
    """A row for every design, in the order in which they are done; one failure never stops the rest."""
    for design, outcome in completed(executor, measure_design, tasks):
        yield outcome if isinstance(outcome, DesignRow) else replace(row_of(design), error=told(outcome))


def measure_design(design: Design, base: Traced | None = None) -> DesignRow:
    """Transform and trace one design, and add up its figures; what goes wrong is told in the row.

    Without the `base`, the network that it is made from, that is built and traced first.
    """
    with _ONE_AT_A_TIME:
        try:
            return _measured(design, base)
        except Exception as error:
            return replace(row_of(design), error=told(error))


def row_of(design: Design) -> DesignRow:
    """The row of a design before it is measured."""
    csp = design.csp
    if csp is None:
        return DesignRow(design.model, "base")
    if csp.control:
        return DesignRow(design.model, "control", csp.preset, "", csp.fusion, "", 0.0)
    return DesignRow(design.model, "CSP", csp.preset, "", csp.fusion, csp.inner, csp.gamma)


def misfit(row: DesignRow) -> bool:
    """Whether the preset does not fit the network, which says nothing against any other design."""
    return row.error.startswith("preset ") and "does not fit" in row.error


def _measured(design: Design, base: Traced | None) -> DesignRow:
    from cspanalyze.analyses import Grouping, run
    from cspanalyze.gradient_flow import duplication, gradient_flow
    from cspanalyze.pipeline.networks import loaded_of, traced_of, traced_twins

    network = traced_of(loaded_of(design.request or design.model)) if base is None else base
    changes: tuple[StageChange, ...] = ()
    if design.csp is not None:
        twins, changes = traced_twins(network, design.csp)
        network = twins[-1]  # the control if that is asked for
    results = run(network.graph, METRICS, Grouping.of(network.graph, "op"))
    ratio = duplication(gradient_flow(network.graph)).channel_ratio
    totals: dict[str, Any] = {result.metric: result.total for result in results}
    known = replace(row_of(design), input=" ".join(network.loaded.inputs))
    row = replace(known, **totals, gradient_duplication=None if ratio is None else round(float(ratio), 6))
    return _with_changes(row, changes) if changes else row


def _with_changes(row: DesignRow, changes: Sequence[StageChange]) -> DesignRow:
    made = [change for change in changes if not change.skipped]
    shares = [change.gamma_effective for change in made if change.gamma_effective is not None]
    return replace(
        row,
        preset="+".join(dict.fromkeys(change.preset for change in made)),
        gamma_effective=0.0 if row.variant == "control" else round(sum(shares) / len(shares), 6) if shares else None,
        stages=len(made),
    )
