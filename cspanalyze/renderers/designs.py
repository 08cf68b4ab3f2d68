"""The designs of a sweep -> text."""

from __future__ import annotations

import csv
import io
import json

from cspanalyze.designs import FIELDS, UNITS, DesignRow, Designs, designs_to_json, texts
from cspanalyze.renderers.columns import HEADINGS
from cspanalyze.renderers.figures import UNKNOWN, figure
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style

_FIGURES = ("macs", "params", "cio", "unfused_bytes", "fused_bytes", "peak_bytes")
_TITLES = {"cio": "CIO", "gradient_duplication": "D_c"}


def render_designs(designs: Designs, format: str, style: Style) -> str:
    """One row a design, those on the front marked, in any of the formats that a run can be written in."""
    rows, objectives = designs.rows, designs.objectives
    if format == "json":
        return json.dumps(designs_to_json(designs), indent=1) + "\n"
    if format == "csv":
        return _csv(designs)
    from cspanalyze.renderers import render_document

    columns = [
        Column("gamma", "effective"),
        *(Column(_TITLES.get(name, HEADINGS[name].title), UNITS.get(name, "")) for name in _FIGURES),
        Column("gradient dupl.", "D_c"),
        Column("front", align="left", glued=True),
    ]
    first = {row.model: index for index, row in reversed(list(enumerate(rows)))}
    blocks = tuple(Block((_line(row, first[row.model] == index, style),)) for index, row in enumerate(rows))
    labels = (Column("network", align="left"), Column("design", align="left"))
    wording = ", ".join(_TITLES.get(name) or HEADINGS[name].title for name in objectives)
    remarks = [
        f"front = no other design of the network is as good in all of {wording} and better in one; less is better",
        "accuracy is not measured: figures that all fall with gamma put the largest gamma alone on the front",
        "design = preset, fusion, scale if inner widths shrink too, gamma = share of channels that bypass the blocks",
        "gamma effective = after rounding, mean over the partial stages; control = the same transitions, no split",
        "D_c = share of gradient terms that repeat another, by channels, from structure alone (1 - U_c/T_c)",
        "1 MAC = 1 multiply-add; CIO = elements read + written by convolutions; peak memory without weights",
    ]
    errors = dict.fromkeys(f"{row.model} {row.asked} {row.fusion}: {row.error}" for row in rows if row.error)
    return render_document(
        Document(f"{len(rows)} designs", (Grid(labels, tuple(columns), blocks),), tuple(remarks), tuple(errors)),
        format,
        style,
    )


def _csv(designs: Designs) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows(texts(row) for row in designs.rows)
    return text.getvalue()


def _line(row: DesignRow, first: bool, style: Style) -> Line:
    effective = UNKNOWN if row.gamma_effective is None else f"{row.gamma_effective:.3g}"
    duplication = UNKNOWN if row.gradient_duplication is None else f"{row.gradient_duplication:.3f}"
    figures = [Cell(figure(getattr(row, name))) for name in _FIGURES]
    mark = "✓" if style.unicode else "*"
    front = Cell(mark, "better") if row.front else Cell("failed" if row.error else "", "worse" if row.error else "")
    return Line(
        (row.model if first else "", row.label.removeprefix("CSP ")),
        (Cell(effective), *figures, Cell(duplication), front),
    )
