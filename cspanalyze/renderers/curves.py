"""Curves as tables: a row for every x, base beside its variants, with bars."""

from __future__ import annotations

from cspanalyze.renderers.figures import change
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line
from cspanalyze.renderers.tabulation import counted, reports
from cspanalyze.results import Comparison, Curve, Record, Report


def curve_grids(record: Record) -> list[Grid]:
    """One table for every curve of the base; its variants stand beside it where they have the same points."""
    base, *variants = reports(record)
    compared = isinstance(record, Comparison)
    return [
        _grid(curve, [(report, other) for report in variants if (other := _same(report, curve)) is not None], compared)
        for curve in base.curves
    ]


def _same(report: Report, curve: Curve) -> Curve | None:
    """The curve of another report that is about the same, at the same points."""
    xs = [x for x, _ in curve.points]
    for other in report.curves:
        if other.metric == curve.metric and [x for x, _ in other.points] == xs:
            return other
    return None


def _grid(curve: Curve, variants: list[tuple[Report, Curve]], compared: bool) -> Grid:
    largest = max([value for each in (curve, *(other for _, other in variants)) for _, value in each.points], default=0)
    columns = [Column("base" if compared else "bytes", "B"), Column("", align="left", dispensable=True)]
    for report, _ in variants:
        name = report.subject.variant or report.subject.name
        columns += [Column(name, "B"), Column("", align="left", dispensable=True), Column("change", glued=True)]
    lines = []
    for at, (x, value) in enumerate(curve.points):
        cells = [counted(value), _bar(value, largest)]
        for _, other in variants:
            cells += [
                counted(other.points[at][1]),
                _bar(other.points[at][1], largest),
                _change(value, other.points[at][1]),
            ]
        lines.append(Line((_x(x, curve.over_unit),), tuple(cells)))
    title = f"{curve.metric.replace('_', ' ')} by {curve.over} ({curve.method})"
    return Grid((Column(curve.over, align="left"),), tuple(columns), (Block(tuple(lines)),), title)


def _bar(value: int, largest: int) -> Cell:
    share = value / largest if largest else 0.0
    return Cell(f"{100 * share:.1f} %", share=share)


def _change(before: int, after: int) -> Cell:
    return Cell(change(before, after), "faint" if before == after else "better" if after < before else "worse")


def _x(value: int, unit: str) -> str:
    if unit != "bytes":
        return f"{value:,} {unit}".strip()
    for name, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:g} {name}"
    return f"{value} B"
