"""Every way to make a network partial, one row each, on any executor. No torch at import."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import CspError
from cspanalyze.pipeline.networks import Csp
from cspanalyze.pipeline.sweeping import completed, told

if TYPE_CHECKING:
    from cspanalyze.results import StageChange

METRICS = ("macs", "params", "cio", "unfused_bytes", "fused_bytes", "peak_bytes")
FUSIONS = ("csp", "first", "last")
PRESETS = ("paper", "dropin", "densenet")
INNERS = ("keep", "scale")
_ONE_AT_A_TIME = threading.Lock()  # module hooks belong to the process, and a cluster's worker may run several threads


@dataclass(frozen=True, slots=True)
class Design:
    """A network, and how it is made partial; `csp` None for the network itself."""

    model: str
    csp: Csp | None = None


@dataclass(frozen=True, slots=True)
class DesignRow:
    """The figures of one design, or in `error` why there are none.

    `variant` is "base", "CSP" or "control"; `preset` is what was used, `asked` what was asked for; `gamma_effective`
    the mean over the stages that are partial, of which there are `stages`. `gradient_duplication` is D_c, the share of
    gradient terms that repeat another by channels, from structure alone. `front` says whether no other design of the
    network is at least as good in every objective and better in one.
    """

    model: str
    variant: str
    asked: str = ""
    preset: str = ""
    fusion: str = ""
    inner: str = ""
    gamma: float | None = None
    gamma_effective: float | None = None
    stages: int | None = None
    macs: int | None = None
    params: int | None = None
    cio: int | None = None
    unfused_bytes: int | None = None
    fused_bytes: int | None = None
    peak_bytes: int | None = None
    gradient_duplication: float | None = None
    front: bool | None = None
    error: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it a design of its own."""
        return (
            self.model,
            self.variant,
            self.asked,
            self.fusion,
            self.inner,
            "" if self.gamma is None else f"{self.gamma:g}",
        )


FIELDS = tuple(field.name for field in fields(DesignRow))
OBJECTIVES = ("macs", "params", "cio", "unfused_bytes", "fused_bytes", "peak_bytes", "gradient_duplication")


def designs(
    models: Iterable[str],
    gammas: Sequence[float] = (0.5,),
    fusions: Sequence[Any] = ("csp",),
    presets: Sequence[Any] = ("auto",),
    inners: Sequence[Any] = ("keep",),
    *,
    control: bool = False,
) -> tuple[Design, ...]:
    """Every network by itself and in every combination; controls have no gamma, and so no inner widths to scale."""
    made: list[Design] = []
    for model in models:
        made.append(Design(model))
        for preset, fusion in product(presets, fusions):
            if control:
                made.append(Design(model, Csp(fusion=fusion, preset=preset, control=True)))
            made += [Design(model, Csp(gamma, fusion, preset, inner)) for inner, gamma in product(inners, gammas)]
    return tuple(made)


def sweep_designs(tasks: Sequence[Design], executor: Executor) -> Iterator[DesignRow]:
    """A row for every design, in the order in which they are done; one failure never stops the rest."""
    for design, outcome in completed(executor, measure_design, tasks):
        yield outcome if isinstance(outcome, DesignRow) else replace(row_of(design), error=told(outcome))


def measure_design(design: Design) -> DesignRow:
    """Build, transform and trace one design, and add up its figures; what goes wrong is told in the row."""
    with _ONE_AT_A_TIME:
        try:
            return _measured(design)
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


def _measured(design: Design) -> DesignRow:
    from cspanalyze.analyses import Grouping, run
    from cspanalyze.gradient_flow import duplication, gradient_flow
    from cspanalyze.pipeline.networks import loaded_of, traced_of, traced_twins

    network = traced_of(loaded_of(design.model))
    changes: tuple[StageChange, ...] = ()
    if design.csp is not None:
        twins, changes = traced_twins(network, design.csp)
        network = twins[-1]  # the control if that is asked for
    results = run(network.graph, METRICS, Grouping.of(network.graph, "op"))
    ratio = duplication(gradient_flow(network.graph)).channel_ratio
    totals: dict[str, Any] = {result.metric: result.total for result in results}
    row = replace(row_of(design), **totals, gradient_duplication=None if ratio is None else round(float(ratio), 6))
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


def with_front(rows: Sequence[DesignRow], objectives: Sequence[str]) -> list[DesignRow]:
    """The rows with `front` filled in: all objectives are better when smaller.

    Only rows with every objective known take part; a row with an error or an unknown has no `front`.

    Raises:
        CspError: an objective is no figure of a row.
    """
    if unknown := [name for name in objectives if name not in OBJECTIVES]:
        raise CspError(f"unknown objective {unknown[0]!r}; choose from {', '.join(OBJECTIVES)}")
    figures = {id(row): tuple(getattr(row, name) for name in objectives) for row in rows}

    def judged(row: DesignRow) -> bool | None:
        own = figures[id(row)]
        if row.error or None in own:
            return None
        rivals = (figures[id(other)] for other in rows if other.model == row.model and not other.error)
        return not any(
            rival != own and None not in rival and all(a <= b for a, b in zip(rival, own, strict=True))
            for rival in rivals
        )

    return [replace(row, front=judged(row)) for row in rows]


def texts(row: DesignRow) -> list[str]:
    """The fields of a row as a file holds them; what is unknown is empty."""
    shown = {None: "", True: "yes", False: "no"}
    values = asdict(row).values()
    return [shown[value] if value is None or isinstance(value, bool) else f"{value}" for value in values]


def row_from(texts: Sequence[str]) -> DesignRow:
    """Inverse of `texts`.

    Raises:
        ValueError: it is no such row.
    """
    given = dict(zip(FIELDS, texts, strict=True))
    values: dict[str, Any] = dict(given)
    for name in ("stages", *OBJECTIVES[:-1]):
        values[name] = int(given[name]) if given[name] else None
    for name in ("gamma", "gamma_effective", "gradient_duplication"):
        values[name] = float(given[name]) if given[name] else None
    values["front"] = {"": None, "yes": True, "no": False}[given["front"]]
    return DesignRow(**values)
