"""A network beside its baseline and its limits -> text or data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from cspanalyze.limits import Check, Verdict, check_to_json
from cspanalyze.renderers.columns import heading
from cspanalyze.renderers.figures import change
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style
from cspanalyze.renderers.tabulation import NO, YES, counted, figure_of, groups_of, label
from cspanalyze.results import Comparison

_FIELDS = ("metric", "unit", "limit", "baseline", "now", "kept")


def render_check(check: Check, format: str, style: Style) -> str:
    """Every limit, and where a figure beyond its limit grew, in any of the formats that a run can be written in."""
    if format == "json":
        return json.dumps(check_to_json(check), indent=1) + "\n"
    if format == "csv":
        return _csv(check)
    from cspanalyze.renderers import render_document

    return render_document(_document(check), format, style)


def _csv(check: Check) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for each in check.verdicts:
        writer.writerow([each.metric, each.unit, each.limit, each.baseline, each.now, str(each.kept).lower()])
    return text.getvalue()


def _document(check: Check) -> Document:
    subject = check.now.subject
    columns = (Column("baseline"), Column("now"), Column("change"), Column("limit"), Column("kept?", glued=True))
    blocks = tuple(Block((_line(each),)) for each in check.verdicts)
    grids = [Grid((Column("metric", align="left"),), columns, blocks)]
    grown = list(_grown(check))
    if grown:
        labels = (Column("metric", align="left"), Column("where", align="left"))
        grids.append(Grid(labels, columns[:3], tuple(grown), "Where it grew"))
    broken = ", ".join(_title(each) for each in check.broken)
    said = f"Beyond the limit: {broken}." if broken else "Every limit is kept."
    title = f"{subject.name} ({subject.source}) beside its baseline, input {', '.join(subject.inputs)}"
    remark = "limit = how much more than the baseline (+2%, +1M), or how much in all (5G), the total may be"
    return Document(title, tuple(grids), (remark,), (said,))


def _title(verdict: Verdict) -> str:
    return heading(verdict.metric).title


def _line(verdict: Verdict) -> Line:
    moved = Cell(change(verdict.baseline, verdict.now))
    mark = Cell(YES, "better") if verdict.kept else Cell(NO, "worse")
    return Line((_title(verdict),), (counted(verdict.baseline), counted(verdict.now), moved, Cell(verdict.limit), mark))


def _grown(check: Check) -> Iterator[Block]:
    """Of every metric beyond its limit, the groups whose figures are larger now."""
    groups = groups_of(Comparison(check.baseline, (check.now,)))
    for verdict in check.broken:
        lines: list[Line] = []
        for group in groups:
            before = figure_of(check.baseline.result(verdict.metric), group)
            now = figure_of(check.now.result(verdict.metric), group)
            if now is not None and now > (before or 0):
                name = "" if lines else _title(verdict)
                lines.append(Line((name, label(group)), (counted(before), counted(now), Cell(change(before, now)))))
        if lines:
            yield Block(tuple(lines))
