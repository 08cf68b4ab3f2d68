"""Records -> files for machines: JSON as the records are, CSV with one row per network, group and metric."""

from __future__ import annotations

import csv
import io

from cspanalyze.renderers.tabulation import TOTAL, Group, figure_of, reports
from cspanalyze.results import Record, Report, Result, dumps

CSV_FIELDS = (
    "subject", "variant", "source", "inputs", "mode", "scope", "group", "metric", "value", "unit", "method", "additive",
    "note",
)  # fmt: skip


def render_json(record: Record) -> str:
    """The record itself; `results.from_json` reads it back."""
    return dumps(record)


def render_csv(record: Record) -> str:
    """Tidy rows, each complete in itself; an unknown value is an empty field; in scope `total`, the whole network,
    there is no group."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for report in reports(record):
        for result in report.results:
            for group in (*report.groups, TOTAL):
                writer.writerow(_row(report, result, group))
    return text.getvalue()


def _row(report: Report, result: Result, group: Group) -> list[object]:
    subject = report.subject
    value = figure_of(result, group)
    notes = [row.note for row in result.rows if row.module == group and row.note]
    return [
        *(subject.name, subject.variant, subject.source, " ".join(subject.inputs), subject.mode),
        *("total" if group is TOTAL else "group", group, result.metric, "" if value is None else value),
        *(result.unit, result.method, str(result.additive).lower(), "; ".join(notes) or result.note),
    ]
