"""One report -> grid: its groups in order, as a tree, or the largest of them; with the shares of the main metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cspanalyze.renderers.columns import heading
from cspanalyze.renderers.figures import UNKNOWN
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line
from cspanalyze.renderers.layout import PLAIN, Layout, main_metric, ranking_metric, shown
from cspanalyze.renderers.tabulation import (
    Figures,
    Group,
    counted,
    figure_of,
    figures_of,
    groups_of,
    label,
    reports,
    totals,
)
from cspanalyze.renderers.tree import Branch, adder, branches
from cspanalyze.results import Comparison, Number, Report, Result, Row

FOLDED = "x"


@dataclass(frozen=True, slots=True)
class _Table:
    """What every row of a report's table needs: the columns, the results behind them, and the one whose shares show."""

    report: Report
    columns: list[Figures]
    results: tuple[Result, ...]
    main: Result | None

    @property
    def place(self) -> int:
        """Where the shares stand: behind the main metric."""
        return [each.metric for each in self.columns].index(self.main.metric) + 1 if self.main else 0

    def group(self, group: Group) -> Line:
        """The row of one group, or of the whole network."""
        cells = [each.cell(self.report, group) for each in self.columns]
        return self._line(label(group), cells, figure_of(self.main, group) if self.main else None, 0)

    def sums(self, name: str, figures: Sequence[Number], depth: int = 0) -> Line:
        """A row of figures that stand in the order of the results; columns that are no result stay empty."""
        of_metric = {result.metric: number for result, number in zip(self.results, figures, strict=True)}
        cells = [
            counted(of_metric[c.metric], heading(c.metric).decimals) if c.metric in of_metric else Cell()
            for c in self.columns
        ]
        return self._line(name, cells, of_metric[self.main.metric] if self.main else None, depth)

    def _line(self, name: str, cells: list[Cell], amount: Number, depth: int) -> Line:
        if self.main is not None:
            cells.insert(self.place, _share(amount, self.main.total))
        return Line((name,), tuple(cells), depth)


def report_grid(report: Report, layout: Layout = PLAIN) -> Grid:
    """One row per group or module, one column per metric, the shares of the main one as bars, the totals set off."""
    table = _Table(report, figures_of(report), shown(report), main_metric(report))
    ranking = ranking_metric(report)
    if layout.top is not None and ranking is not None:
        body = _largest(table, ranking, layout.top)
    elif layout.tree:
        grown = [entry for each in branches(report, table.results, fold=layout.fold) for entry in each.walk()]
        body = [table.sums(_named(branch), branch.figures, depth) for depth, branch in grown]
    else:
        body = [table.group(group) for group in report.groups]
    columns = [each.column for each in table.columns]
    if table.main is not None:
        title = heading(table.main.metric).title
        columns.insert(table.place, Column("share", f"of {title}", "left", glued=True, dispensable=True))
    blocks = (
        *(Block((line,)) for line in body),
        *(Block((table.group(group),), total=True) for group in totals(report)),
    )
    return Grid((Column("", align="left"),), tuple(columns), blocks)


def largest_of(comparison: Comparison, count: int) -> Comparison:
    """The same with rows for the groups whose main figure is largest in any network, and one for all others."""
    main = ranking_metric(comparison.base)
    if main is None:
        return comparison

    def size(group: str) -> float:
        results = [report.result(main.metric) for report in reports(comparison) if main.metric in report.metrics]
        return max(result.of(group) or 0 for result in results)

    ranked = sorted(groups_of(comparison), key=lambda group: -size(group))
    kept = ranked if len(ranked) == count + 1 else ranked[:count]
    rest = ranked[len(kept) :]
    if not rest:
        return comparison
    name = f"{len(rest)} others"

    def cut(report: Report) -> Report:
        results = []
        for result in report.results:
            others = Row(name, "", adder(result)([figure_of(result, group) for group in rest]))
            rows = (*(row for row in result.rows if row.module in kept), others)
            results.append(replace(result, rows=rows))
        return replace(
            report, groups=(*(group for group in kept if group in report.groups), name), results=tuple(results)
        )

    variants = tuple(cut(variant) for variant in comparison.variants)
    return replace(comparison, base=cut(comparison.base), variants=variants)


def folded_rows(grid: Grid) -> bool:
    """Whether a row of the grid stands for several modules."""
    return any(line.labels[0].partition(f"  {FOLDED}")[2].isdecimal() for line in grid.lines)


def _largest(table: _Table, ranking: Result, count: int) -> list[Line]:
    """The groups with the largest figures, and one row for all others together."""
    ranked = sorted(table.report.groups, key=lambda group: -(ranking.of(group) or 0))
    # A row for "1 other" would take the place of that one.
    kept = ranked if len(ranked) == count + 1 else ranked[:count]
    rest = ranked[len(kept) :]
    lines = [table.group(group) for group in kept]
    if rest:
        figures = [adder(result)([figure_of(result, group) for group in rest]) for result in table.results]
        lines.append(table.sums(f"{len(rest)} others", figures))
    return lines


def _named(branch: Branch) -> str:
    return f"{label(branch.name)}  {FOLDED}{branch.count}" if branch.count > 1 else label(branch.name)


def _share(amount: Number, whole: Number) -> Cell:
    if amount is None or not whole:
        return Cell(UNKNOWN, "faint")
    share = amount / whole
    if not amount:
        return Cell("0 %", "faint", share)
    text = f"{100 * share:.1f} %"
    return Cell(text if text != "0.0 %" else "< 0.1 %", share=share)
