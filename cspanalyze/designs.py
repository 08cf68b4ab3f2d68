"""Ways to make a network partial, one row each: the records of a sweep. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from cspanalyze.errors import CspError
from cspanalyze.json_form import plain, structured
from cspanalyze.results import SCHEMA_VERSION
from cspanalyze.showing import Shown


@dataclass(frozen=True, slots=True)
class DesignRow:
    """The figures of one design, or in `error` why there are none.

    `input` is what the network was traced with; `variant` is "base", "CSP" or "control"; `preset` is what was used,
    `asked` what was asked for; `gamma_effective` the mean over the stages that are partial, of which there are
    `stages`. `gradient_duplication` is D_c, the share of gradient terms that repeat another by channels, from structure
    alone. `front` says whether no other design of the network is at least as good in every objective and better in one.
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
    input: str = ""
    error: str = ""

    @property
    def label(self) -> str:
        """The design in a few words: `CSP paper csp 0.5`."""
        gamma = "" if self.gamma is None else f"{self.gamma:g}"
        return label_of(self.variant, self.preset or self.asked, self.fusion, self.inner, gamma)

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


def label_of(variant: str, preset: str, fusion: str, inner: str, gamma: str) -> str:
    """What tells a design from the others of its network, without what goes without saying."""
    return " ".join(
        filter(None, (variant, preset, fusion, "" if inner == "keep" else inner, gamma if variant == "CSP" else ""))
    )


UNITS = {"macs": "MAC", "cio": "elements", "unfused_bytes": "B", "fused_bytes": "B", "peak_bytes": "B"}
"""Units of the figures that have one, by field."""
FIELDS = tuple(field.name for field in fields(DesignRow))
OBJECTIVES = ("macs", "params", "cio", "unfused_bytes", "fused_bytes", "peak_bytes", "gradient_duplication")
FRONT = ("macs", "fused_bytes", "gradient_duplication")
"""The objectives that decide which designs are on the front, unless told otherwise."""


@dataclass(frozen=True, slots=True, repr=False)
class Designs(Shown):
    """The designs of a sweep, those on the Pareto front of the `objectives` marked."""

    rows: tuple[DesignRow, ...]
    objectives: tuple[str, ...] = FRONT

    @property
    def front(self) -> tuple[DesignRow, ...]:
        """The designs that no other one of the same network beats."""
        return tuple(row for row in self.rows if row.front)

    @property
    def failed(self) -> tuple[DesignRow, ...]:
        """The designs that have no figures; `error` says why."""
        return tuple(row for row in self.rows if row.error)


def with_front(rows: Sequence[DesignRow], objectives: Sequence[str]) -> list[DesignRow]:
    """The rows with `front` filled in: all objectives are better when smaller.

    Only rows with every objective known take part; a row with an error or an unknown has no `front`, and neither has
    one that stands alone, without another of its network and input to beat.

    Raises:
        CspError: an objective is no figure of a row.
    """
    if unknown := [name for name in objectives if name not in OBJECTIVES]:
        raise CspError(f"unknown objective {unknown[0]!r}; choose from {', '.join(OBJECTIVES)}")
    figures = {id(row): tuple(getattr(row, name) for name in objectives) for row in rows}
    known = [row for row in rows if not row.error and None not in figures[id(row)]]

    def judged(row: DesignRow) -> bool | None:
        own = figures[id(row)]
        rivals = [each for each in known if (each.model, each.input) == (row.model, row.input) and each is not row]
        if row.error or None in own or not rivals:
            return None
        beaten = (figures[id(each)] for each in rivals)
        return not any(rival != own and all(a <= b for a, b in zip(rival, own, strict=True)) for rival in beaten)

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


def designs_to_json(designs: Designs) -> dict[str, Any]:
    """JSON-ready data, with `"kind": "designs"`."""
    return {"schema": SCHEMA_VERSION, "kind": "designs", **plain(designs)}


def designs_from_json(data: Mapping[str, Any]) -> Designs:
    """Inverse of `designs_to_json`.

    Raises:
        UsageError: the data is no such record.
    """
    body = {key: value for key, value in data.items() if key not in ("schema", "kind")}
    return structured(body, Designs, "these are no designs of a sweep")
