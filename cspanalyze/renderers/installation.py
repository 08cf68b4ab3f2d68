"""What is installed -> text or data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields

from cspanalyze.installation import Installation, Part
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line, Tone
from cspanalyze.renderers.style import Style

_TONES: dict[str, Tone] = {"ok": "better", "found": "better", "missing": "faint", "broken": "worse"}


def render_installation(installation: Installation, format: str, style: Style) -> str:
    """The parts in any of the formats that a run can be written in."""
    if format == "json":
        return json.dumps(installation.to_json(), indent=1) + "\n"
    if format == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(Part)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(part) for part in installation.parts)
        return text.getvalue()
    from cspanalyze.renderers import render_document

    return render_document(_document(installation), format, style)


def _document(installation: Installation) -> Document:
    columns = tuple(Column(title, align="left") for title in ("state", "version", "gives", "remark"))
    blocks = tuple(
        Block((Line((part.name,), (Cell(part.state, _TONES[part.state]), *map(Cell, _texts(part)))),))
        for part in installation.parts
    )
    lacking = [part for part in installation.parts if part.state in ("missing", "broken")]
    broken = [part.name for part in lacking if part.state == "broken"]
    missing = [part.name for part in lacking if part.state == "missing" and part.kind == "core"]
    untried = any(part.state == "found" for part in installation.parts)
    said = f"{len(installation.parts) - len(lacking)} of {len(installation.parts)} parts are there"
    said += ": ok = tried and works, found = installed, not tried (--full imports it)" if untried else " and work"
    remarks = [said, *([f"broken: {', '.join(broken)}"] if broken else [])]
    remarks += [f"needed and missing: {', '.join(missing)}"] if missing else []
    remarks.append("what is missing is needed only for what it gives; commands run from a checkout of cspanalyze")
    grid = Grid((Column("", align="left"),), columns, blocks)
    return Document("cspanalyze and what it can use here", (grid,), tuple(remarks))


def _texts(part: Part) -> tuple[str, str, str]:
    return part.version, part.gives, "; ".join(filter(None, (part.said, part.get)))
