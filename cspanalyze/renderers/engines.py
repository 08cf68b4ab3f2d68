"""Tables of one network counted by several programs."""

from __future__ import annotations

from collections.abc import Iterator

from cspanalyze.renderers.figures import UNKNOWN, figure
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line
from cspanalyze.results import Report, Row

COUNTS, DIFFERENCES, REASONS = "engine_macs", "engine_difference", "engine_reasons"
SHOWN = 6
"""Reasons of one engine that are listed; smaller ones are added up."""
REMARKS = (
    "1 MAC = 1 multiply-add; what an engine reports as FLOPs of two per multiply-add is halved",
    "reasons are computed from both lists of operators, module by module, and add up to the difference",
)


def engine_grids(report: Report) -> tuple[Grid, ...]:
    """What each engine counts, and under it why that differs from our count."""
    reasons = tuple(_reasons(report))
    counts = _counts(report)
    if not reasons:
        return (counts,)
    columns = (Column("reason", align="left"), Column("difference", "MAC"), Column("relative"))
    return counts, Grid((Column("engine", align="left"),), columns, reasons, "Why they differ")


def _counts(report: Report) -> Grid:
    macs = {row.module: row for row in report.result(COUNTS).rows}
    shares = {row.module: row.value for row in report.result(DIFFERENCES).rows}
    lines = []
    for engine in report.groups:
        row = macs[engine]
        share = shares[engine]
        known = Cell(UNKNOWN, "faint") if share is None else Cell(_percent(share), "" if share else "faint")
        remark = row.note.removeprefix("on ") if row.value is not None else f"unavailable: {row.note}"
        exact = UNKNOWN if row.value is None else f"{row.value:,.0f}"
        lines.append(Line((engine,), (Cell(exact), known, Cell(remark))))
    columns: tuple[Column, ...] = (Column("MACs", "MAC"), Column("difference"), Column("ran on", align="left"))
    if not any(line.cells[-1].text for line in lines):
        columns = columns[:-1]
    blocks = tuple(Block((Line(line.labels, line.cells[: len(columns)]),)) for line in lines)
    return Grid((Column("engine", align="left"),), columns, blocks)


def _reasons(report: Report) -> Iterator[Block]:
    ours = report.result(COUNTS).total
    for engine in report.groups:
        rows = [row for row in report.result(REASONS).rows if row.module == engine]
        if len(rows) > SHOWN + 1:
            rest = sum(row.value or 0 for row in rows[SHOWN:])
            rows = [*rows[:SHOWN], Row(engine, f"{len(rows) - SHOWN} smaller reasons", rest)]
        yield from (
            Block((Line((engine if not at else "",), (Cell(row.op), Cell(_signed(row)), Cell(_of(row, ours)))),))
            for at, row in enumerate(rows)
        )


def _signed(row: Row) -> str:
    value = row.value or 0
    return f"{'+' if value > 0 else '-'}{figure(abs(value))}"


def _of(row: Row, ours: int | float | None) -> str:
    return _percent(100 * (row.value or 0) / ours) if ours else UNKNOWN


def _percent(share: float) -> str:
    if not share:
        return "="
    return f"{share:+.2f} %" if abs(share) >= 0.1 else f"{share:+.2g} %"
