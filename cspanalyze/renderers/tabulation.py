"""Which metric is which column, and how a network stands beside its variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cspanalyze.renderers.columns import heading, unit
from cspanalyze.renderers.figures import UNKNOWN, change, figure
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line, Tone
from cspanalyze.renderers.layout import shown
from cspanalyze.results import SELF, Comparison, Number, Record, Report, Result, StageChange

CLOSED_FORM = "cio_closed_form"
TRACED = "cio"
TOTAL: None = None  # in place of a group's name: no module can be called so
YES, NO, NO_FORM = "✓", "✗", "no closed form"

Group: TypeAlias = "str | None"


def figure_of(result: Result, group: Group) -> Number:
    """The figure of a group, or the total; an additive metric is 0, not unknown, for a group that has no row."""
    if group is TOTAL:
        return result.total
    if result.additive and all(row.module != group for row in result.rows):
        return 0
    return result.of(group)


@dataclass(frozen=True, slots=True)
class Figures:
    """One column of a table: `cell` writes the figure of one report, `change` compares two.

    `metric` is the name of the result, "" where the column is none.
    """

    metric: str
    column: Column
    value: Callable[[Report, Group], Number]
    cell: Callable[[Report, Group], Cell]
    change: Callable[[Report, Report, Group], Cell]


def comparison_grid(comparison: Comparison) -> Grid:
    """Per group a row for the base and, for each variant, one for its figures and one for the change."""
    figures = figures_of(comparison.base)
    return Grid(
        labels=(Column("", align="left"), Column("", align="left")),
        columns=tuple(each.column for each in figures),
        blocks=tuple(
            Block(tuple(_lines(comparison, figures, group)), group is TOTAL)
            for group in (*groups_of(comparison), *totals(comparison.base))
        ),
    )


def totals(report: Report) -> tuple[None, ...]:
    """The row of totals, unless the report knows none (measurements at several batch sizes have no sum)."""
    return (TOTAL,) if not report.results or any(result.total is not None for result in report.results) else ()


def changes_grids(changes: Sequence[StageChange]) -> tuple[Grid, ...]:
    """What the CSP transform did to each stage, and which stages it left as they are."""
    made = [each for each in changes if not each.skipped]
    titles = ("preset", "fusion", "gamma asked", "gamma effective", "channels", "bypass (c1)", "blocks (c2)", "remark")
    columns = tuple(
        Column(title, align="left" if title in ("preset", "fusion", "remark") else "right")
        for title in (titles if any(map(_remark, made)) else titles[:-1])
    )
    blocks = tuple(Block((_change(change, len(columns)),)) for change in made)
    name = (Column("stage", align="left"),)
    partial = Grid(name, columns, blocks, "CSP stages (c1 channels bypass the blocks)")
    return tuple(grid for grid in (partial, _untouched(changes)) if grid.blocks)


def _change(made: StageChange, count: int) -> Line:
    effective = UNKNOWN if made.gamma_effective is None else f"{made.gamma_effective:g}"
    widths = [UNKNOWN if w is None else str(w) for w in (made.channels, made.bypass_channels, made.block_channels)]
    texts = (made.preset, made.fusion, f"{made.gamma:g}", effective, *widths, _remark(made))
    return Line((made.stage,), tuple(map(Cell, texts[:count])))


def _untouched(changes: Sequence[StageChange]) -> Grid:
    """A line for each reason, with the stages that it keeps as they are."""
    stages: dict[str, list[str]] = {}
    for each in changes:
        if each.skipped:
            stages.setdefault(each.skipped, []).append(each.stage)
    lines = [Line((", ".join(names),), (Cell(reason),)) for reason, names in stages.items()]
    columns = (Column("reason", align="left"),)
    return Grid((Column("stage", align="left"),), columns, tuple(Block((line,)) for line in lines), "Left as they are")


def _remark(made: StageChange) -> str:
    parts = (made.bypass_channels or 0) + (made.block_channels or 0)
    wide = "both parts keep the full width, whatever gamma" if parts > made.channels else ""
    return "; ".join(filter(None, (wide, made.remark)))


def reports(record: Record) -> tuple[Report, ...]:
    """The base and its variants, or the one report."""
    return (record.base, *record.variants) if isinstance(record, Comparison) else (record,)


def label(group: Group) -> str:
    """A group as it is printed."""
    return "total" if group is TOTAL else group or SELF


def counted(value: Number, decimals: int = 1) -> Cell:
    """A figure as it is printed; what is nothing or unknown stands back."""
    text = figure(value, decimals)
    return Cell(text, "faint" if text in (UNKNOWN, "0") else "", exact=value)


def groups_of(record: Record) -> list[str]:
    """All groups of all reports; one that only a variant has comes behind its predecessor there."""
    base, *variants = reports(record)
    names = list(base.groups)
    for variant in variants:
        position = 0
        for group in variant.groups:
            if group in names:
                position = names.index(group) + 1
            else:
                names.insert(position, group)
                position += 1
    return names


def _lines(comparison: Comparison, figures: Sequence[Figures], group: Group) -> list[Line]:
    base = comparison.base
    ourselves = base.subject.name if comparison.alignments else "base"
    ours = [each.value(base, group) for each in figures]
    if group is not TOTAL and all([each.value(v, group) for each in figures] == ours for v in comparison.variants):
        everybody = "both" if len(comparison.variants) == 1 else "all"
        return [Line((label(group), everybody), tuple(each.cell(base, group) for each in figures))]
    lines = [Line((label(group), ourselves), tuple(each.cell(base, group) for each in figures))]
    for variant in comparison.variants:
        name = variant.subject.variant or variant.subject.name
        lines.append(Line(("", name), tuple(each.cell(variant, group) for each in figures)))
        if comparison.alignments and [each.value(variant, group) for each in figures] == ours:
            continue  # beside others that differ, a line of equal signs says nothing
        lines.append(Line(("", "change"), tuple(each.change(base, variant, group) for each in figures)))
    return lines


def figures_of(report: Report) -> list[Figures]:
    """The columns of a report's table, in order."""
    figures = []
    for result in shown(report):
        figures.append(_metric(result))
        if result.metric == TRACED and CLOSED_FORM in report.metrics:
            figures.append(_equality())
    return figures


def _metric(result: Result) -> Figures:
    metric, known = result.metric, heading(result.metric)

    def value(report: Report, group: Group) -> Number:
        if metric not in report.metrics:
            return None
        return figure_of(report.result(metric), group)

    def cell(report: Report, group: Group) -> Cell:
        return counted(value(report, group), known.decimals)

    def difference(base: Report, variant: Report, group: Group) -> Cell:
        if result.unit == "%":  # how much larger an error in percent is says nothing
            return Cell("-", "faint")
        before, after = value(base, group), value(variant, group)
        if known.neutral:
            return Cell(change(before, after), "faint" if before == after else "")
        return Cell(change(before, after), _tone(before, after, known.more_is_better))

    return Figures(metric, Column(known.title, unit(result), glued=known.glued), value, cell, difference)


def _tone(before: Number, after: Number, more_is_better: bool) -> Tone:
    if before is None or after is None or before == after:
        return "faint"
    return "better" if (after > before) == more_is_better else "worse"


def _equality() -> Figures:
    """Whether the closed form and the trace, two independent routes, give the same CIO."""

    def equal(report: Report, group: Group) -> Number:
        if CLOSED_FORM not in report.metrics:
            return None
        formula, trace = report.result(CLOSED_FORM), report.result(TRACED)
        expected, found = figure_of(formula, group), figure_of(trace, group)
        return None if expected is None else int(expected == found)

    def cell(report: Report, group: Group) -> Cell:
        verdict = equal(report, group)
        if verdict is None:
            return Cell(NO_FORM, "faint")
        return Cell(YES, "better") if verdict else Cell(NO, "worse")

    return Figures("", Column("equal?", glued=True), equal, cell, lambda base, variant, group: Cell())
