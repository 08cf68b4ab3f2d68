"""Records -> grids: which metric is which column, and how a network stands beside its variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cspanalyze.renderers.columns import heading, unit
from cspanalyze.renderers.figures import UNKNOWN, change, figure
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line, Tone
from cspanalyze.results import Comparison, Number, Record, Report, Result, StageChange

CLOSED_FORM = "cio_closed_form"
TRACED = "cio"
TOTAL = "total"
ROOT = "(root)"
YES, NO, NO_FORM = "✓", "✗", "no closed form"


@dataclass(frozen=True, slots=True)
class _Figures:
    """One column of a comparison: `cell` writes the figure of one report, `change` compares two."""

    column: Column
    value: Callable[[Report, str], Number]
    cell: Callable[[Report, str], Cell]
    change: Callable[[Report, Report, str], Cell]


def report_grid(report: Report) -> Grid:
    """One row per group, one column per metric, the totals set off."""
    figures = _figures(report)
    return Grid(
        labels=(Column("", align="left"),),
        columns=tuple(each.column for each in figures),
        blocks=tuple(
            Block((Line((_label(group),), tuple(each.cell(report, group) for each in figures)),), group == TOTAL)
            for group in (*report.groups, TOTAL)
        ),
    )


def comparison_grid(comparison: Comparison) -> Grid:
    """Per group a row for the base and, for each variant, one for its figures and one for the change."""
    figures = _figures(comparison.base)
    return Grid(
        labels=(Column("", align="left"), Column("", align="left")),
        columns=tuple(each.column for each in figures),
        blocks=tuple(
            Block(tuple(_lines(comparison, figures, group)), group == TOTAL) for group in (*_groups(comparison), TOTAL)
        ),
    )


def changes_grid(changes: Sequence[StageChange]) -> Grid:
    """What the CSP transform did to each stage."""

    def line(made: StageChange) -> Line:
        if made.skipped:
            return Line((made.stage,), tuple(map(Cell, (*[UNKNOWN] * 7, f"left as it is: {made.skipped}"))))
        effective = UNKNOWN if made.gamma_effective is None else f"{made.gamma_effective:g}"
        widths = (made.channels, made.bypass_channels, made.block_channels)
        texts = (made.preset, made.fusion, f"{made.gamma:g}", effective, *(str(w) if w else UNKNOWN for w in widths))
        return Line((made.stage,), tuple(map(Cell, (*texts, ""))))

    titles = ("preset", "fusion", "gamma asked", "gamma effective", "channels", "bypass (c1)", "blocks (c2)", "why")
    columns = tuple(
        Column(title, align="left" if title in ("preset", "fusion", "why") else "right") for title in titles
    )
    if not any(made.skipped for made in changes):
        columns = columns[:-1]
    lines = [line(made) for made in changes]
    blocks = tuple(Block((Line(each.labels, each.cells[: len(columns)]),)) for each in lines)
    return Grid((Column("stage", align="left"),), columns, blocks, "CSP stages (c1 channels bypass the blocks)")


def reports(record: Record) -> tuple[Report, ...]:
    """The base and its variants, or the one report."""
    return (record.base, *record.variants) if isinstance(record, Comparison) else (record,)


def _label(group: str) -> str:
    return group or ROOT


def _groups(comparison: Comparison) -> list[str]:
    """All groups of all reports; one that only a variant has comes behind its predecessor there."""
    names = list(comparison.base.groups)
    for variant in comparison.variants:
        position = 0
        for group in variant.groups:
            if group in names:
                position = names.index(group) + 1
            else:
                names.insert(position, group)
                position += 1
    return names


def _lines(comparison: Comparison, figures: Sequence[_Figures], group: str) -> list[Line]:
    base = comparison.base
    ours = [each.value(base, group) for each in figures]
    if group != TOTAL and all([each.value(v, group) for each in figures] == ours for v in comparison.variants):
        return [Line((_label(group), "both"), tuple(each.cell(base, group) for each in figures))]
    lines = [Line((_label(group), "base"), tuple(each.cell(base, group) for each in figures))]
    for variant in comparison.variants:
        name = variant.subject.variant or variant.subject.name
        lines.append(Line(("", name), tuple(each.cell(variant, group) for each in figures)))
        lines.append(Line(("", "change"), tuple(each.change(base, variant, group) for each in figures)))
    return lines


def _figures(report: Report) -> list[_Figures]:
    figures = []
    for result in report.results:
        figures.append(_metric(result))
        if result.metric == TRACED and CLOSED_FORM in report.metrics:
            figures.append(_equality())
    return figures


def _metric(result: Result) -> _Figures:
    metric, known = result.metric, heading(result.metric)

    def value(report: Report, group: str) -> Number:
        if metric not in report.metrics:
            return None
        found = report.result(metric)
        return found.total if group == TOTAL else found.of(group)

    def cell(report: Report, group: str) -> Cell:
        text = figure(value(report, group))
        return Cell(text, "faint" if text in (UNKNOWN, "0") else "")

    def difference(base: Report, variant: Report, group: str) -> Cell:
        before, after = value(base, group), value(variant, group)
        return Cell(change(before, after), _tone(before, after, known.more_is_better))

    return _Figures(Column(known.title, unit(result), glued=known.glued), value, cell, difference)


def _tone(before: Number, after: Number, more_is_better: bool) -> Tone:
    if before is None or after is None or before == after:
        return "faint"
    return "better" if (after > before) == more_is_better else "worse"


def _equality() -> _Figures:
    """Whether the closed form and the trace, two independent routes, give the same CIO."""

    def equal(report: Report, group: str) -> Number:
        if CLOSED_FORM not in report.metrics:
            return None
        formula, trace = report.result(CLOSED_FORM), report.result(TRACED)
        expected, found = (each.total if group == TOTAL else each.of(group) for each in (formula, trace))
        return None if expected is None else int(expected == found)

    def cell(report: Report, group: str) -> Cell:
        verdict = equal(report, group)
        if verdict is None:
            return Cell(NO_FORM, "faint")
        return Cell(YES, "better") if verdict else Cell(NO, "worse")

    return _Figures(Column("equal?", glued=True), equal, cell, lambda base, variant, group: Cell())
