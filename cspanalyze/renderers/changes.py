"""What the CSP transform did, without any figures -> text or data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields

from cspanalyze.renderers.grid import Document
from cspanalyze.renderers.style import Style
from cspanalyze.renderers.tabulation import changes_grids
from cspanalyze.results import SCHEMA_VERSION, StageChange, StageChanges

_NOT_COUNTED = "nothing is counted here: `compare` puts the figures of the twin beside those of the network"


def render_changes(record: StageChanges, format: str, style: Style) -> str:
    """One row a stage, in any of the formats that a run can be written in."""
    if format == "json":
        return json.dumps({"schema": SCHEMA_VERSION, "kind": "changes", **asdict(record)}, indent=1) + "\n"
    if format == "csv":
        return _csv(record)
    from cspanalyze.renderers import render_document

    made = sum(not change.skipped for change in record.changes)
    title = f"CSP twin: {made} of {len(record.changes)} stages are partial"
    notes = [f"note: {note}" for note in record.notes]
    return render_document(Document(title, changes_grids(record.changes), (_NOT_COUNTED, *notes)), format, style)


def _csv(record: StageChanges) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(StageChange)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(change) for change in record.changes)
    return text.getvalue()
