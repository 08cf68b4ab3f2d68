"""What of a record a table shows: how its rows are arranged, and which of them stand there."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.renderers.columns import heading
from cspanalyze.results import Report, Result

_MAIN = ("macs", "flops", "flops_fvcore", "flops_darknet", "cio", "cio_pool", "params", "gradient_term_channels")
_RANKING = "gradient_reuse"


@dataclass(frozen=True, slots=True)
class Layout:
    """Arrangement of a report's rows.

    `tree` nests groups by the dots in their names, each with the sums of what is below it; `fold` draws equal
    neighbours in it as one row; `top` keeps only that many groups, those with the largest figures, in a flat table;
    `curve` adds the record's curves as tables.
    Files for machines are the same under every layout.
    """

    tree: bool = False
    fold: bool = True
    top: int | None = None
    curve: bool = False


PLAIN = Layout()


def shown(report: Report) -> tuple[Result, ...]:
    """The results that are columns of a table."""
    return tuple(result for result in report.results if not heading(result.metric).hidden)


def main_metric(report: Report) -> Result | None:
    """The result whose shares are drawn, and by which rows are ranked; None if no result is a sum above 0."""
    sums = [result for result in shown(report) if result.additive and result.total]
    ranked = [result for name in _MAIN for result in sums if result.metric == name]
    return next(iter([*ranked, *sums]), None)


def ranking_metric(report: Report) -> Result | None:
    """The result by which rows are ranked: the main one or, where nothing is a sum, gradient reuse; None without."""
    found = next((result for result in report.results if result.metric == _RANKING), None)
    return main_metric(report) or found
