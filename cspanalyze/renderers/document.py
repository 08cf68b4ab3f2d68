"""Records -> a document: what stands above, in and below the tables, whatever the table is written in."""

from __future__ import annotations

import math

from cspanalyze.renderers.alignments import alignment_grid
from cspanalyze.renderers.arrangement import FOLDED, folded_rows, largest_of, report_grid
from cspanalyze.renderers.columns import conventions, heading
from cspanalyze.renderers.curves import curve_grids
from cspanalyze.renderers.engines import COUNTS, REMARKS, engine_grids
from cspanalyze.renderers.grid import Document, Grid
from cspanalyze.renderers.layout import PLAIN, Layout, shown
from cspanalyze.renderers.tabulation import CLOSED_FORM, changes_grids, comparison_grid, reports
from cspanalyze.results import SELF, Comparison, Record, Report, Subject

OPERATIONS = "operations"


def document(record: Record, layout: Layout = PLAIN) -> Document:
    """The document of a run: tables, what the CSP transform did, the conventions, and what it all means."""
    base = reports(record)[0]
    if not isinstance(record, Comparison) and COUNTS in base.metrics:
        return Document(_title(record), engine_grids(base), (*REMARKS, _provenance(base.subject), *_notes(record)))
    if isinstance(record, Comparison):
        grids = [comparison_grid(record if layout.top is None else largest_of(record, layout.top))]
        if record.changes:
            grids += changes_grids(record.changes)
        grids += [alignment_grid(base.subject.name, each) for each in record.alignments if each.differences]
        sentences = record.sentences
    else:
        grids, sentences = [report_grid(record, layout)], ()
    if layout.curve:
        grids += curve_grids(record)
    remarks = [*_formulas(record), *conventions(base.results), *_folding(grids[0]), *_own(grids[0])]
    remarks += [*_coverage(record), *_gaps(record), _provenance(base.subject)]
    return Document(_title(record), tuple(grids), (*remarks, *_notes(record)), tuple(sentences))


def _own(grid: Grid) -> list[str]:
    there = any(line.labels[0].strip().startswith(SELF) for line in grid.lines)
    return [f"{SELF} = what a module, or the network, computes itself, outside of its submodules"] if there else []


def _notes(record: Record) -> list[str]:
    notes = dict.fromkeys(note for report in reports(record) for note in report.subject.notes)
    return [f"note: {note}" for note in notes]


def _title(record: Record) -> str:
    subject = reports(record)[0].subject
    title = f"{subject.name} ({subject.source})"
    if isinstance(record, Comparison):
        twin, *others = (report.subject.variant or report.subject.name for report in record.variants)
        if record.alignments:
            title = f"{subject.name} beside {' and '.join((twin, *others))}"
        else:
            title += f"{',' if others else ' and'} its {twin} twin"
            title += "".join(f" and its {other}" for other in others)
    return f"{title}, input {', '.join(subject.inputs)}" if subject.inputs else title


def _provenance(subject: Subject) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in subject.versions)
    inputs = ", ".join(subject.inputs) or "none"
    traced = {"meta": "traced on the meta device, nothing is computed", "as run": "counted while it ran"}
    traced["measured"] = "measured on this machine"
    how = traced.get(subject.method, f"data-dependent: counted on one {subject.method}")
    return f"input {inputs}; {subject.mode} mode; {how}; {versions}"


def _formulas(record: Record) -> list[str]:
    """The closed form of every stage, with its numbers; a comparison would repeat most of them."""
    if isinstance(record, Comparison) or CLOSED_FORM not in record.metrics:
        return []
    return [f"CIO formula of {row.module}: {row.note}" for row in record.result(CLOSED_FORM).rows if row.note]


def _folding(grid: Grid) -> list[str]:
    if not folded_rows(grid):
        return []
    return [f"{FOLDED}N = N modules with equal figures in one row: its figures, and those below it, are of all of them"]


def _coverage(record: Record) -> list[str]:
    """How much of what ran the totals hold, where the operations were counted."""
    said = []
    for report in reports(record):
        of = _whose(record, report)
        if OPERATIONS in report.metrics:
            result = report.result(OPERATIONS)
            total, missing = int(result.total or 0), sum(gap.count for gap in result.uncovered)
            if missing:
                names = ", ".join(gap.op for gap in result.uncovered)
                covered = math.floor(1000 * (total - missing) / total) / 10  # never 100 % where something is missing
                said.append(f"{missing:,} of {total:,} operations{of} have no formula: {names}; {covered} % have one")
            else:
                said.append(f"100 % of {total:,} operations{of} have a formula")
    return said


def _whose(record: Record, report: Report) -> str:
    """` of NAME` where a report is one of several that need telling apart."""
    named = report.subject.name if isinstance(record, Comparison) and record.alignments else ""
    name = report.subject.variant or named
    return f" of {name}" if name else ""


def _gaps(record: Record) -> list[str]:
    """What the totals leave out because there is no formula for it."""
    leaving_out: dict[str, dict[str, None]] = {}
    bounded: dict[str, None] = {}
    for report in reports(record):
        of = _whose(record, report)
        for result in shown(report):
            for gap in result.uncovered:
                where = ", ".join(module or SELF for module in gap.modules)
                text = f"{gap.op}{of}, run {gap.count}x in {where}"
                if heading(result.metric).bounded:
                    bounded[f"no exact rule for {text}: what it reads counts as united"] = None
                else:
                    leaving_out.setdefault(f"no formula for {text}", {})[heading(result.metric).title] = None
    return [*(f"{text}: not in {', '.join(titles)}" for text, titles in leaving_out.items()), *bounded]
