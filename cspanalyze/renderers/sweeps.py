"""The networks of a sweep -> text or data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from cspanalyze.renderers.columns import HEADINGS
from cspanalyze.renderers.figures import UNKNOWN
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style
from cspanalyze.renderers.tabulation import counted
from cspanalyze.results import SCHEMA_VERSION

if TYPE_CHECKING:
    from cspanalyze.pipeline.sweeping import SweepRow

_UNITS = {"macs": "MAC", "activations": "elements", "cio": "elements", "peak_bytes": "B"}
_TITLES = {"flops_fvcore": "FLOPs (fvcore)", "cio": "CIO", "coverage_percent": "covered"}
_FIGURES = ("params", "macs", "flops_fvcore", "activations", "cio", "peak_bytes", "operations")


def render_sweep(rows: Sequence[SweepRow], format: str, style: Style) -> str:
    """One row a network, in any of the formats but CSV, which is written row by row."""
    if format == "json":
        data = {"schema": SCHEMA_VERSION, "kind": "sweep", "rows": [asdict(row) for row in rows]}
        return json.dumps(data, indent=1) + "\n"
    from cspanalyze.renderers import render_document

    columns = (
        Column("input", align="left"),
        *(Column(_TITLES.get(name) or HEADINGS[name].title, _UNITS.get(name, "")) for name in _FIGURES),
        Column("covered", "%"),
    )
    grid = Grid((Column("network", align="left"),), columns, tuple(Block((_line(row),)) for row in rows))
    remarks = (
        "1 MAC = 1 multiply-add; CIO = elements read + written by convolutions; activations = elements that "
        "convolutions, linear layers and matrix products make; peak memory without weights",
        "covered = share of the operations that have a formula",
    )
    errors = tuple(f"{row.model}: {row.error}" for row in rows if row.error)
    plural = "network" if len(rows) == 1 else "networks"
    return render_document(Document(f"{len(rows)} {plural}", (grid,), remarks, errors), format, style)


def _line(row: SweepRow) -> Line:
    covered = UNKNOWN if row.coverage_percent is None else f"{row.coverage_percent:g}"
    cells = [Cell(row.input or UNKNOWN), *(counted(getattr(row, name)) for name in _FIGURES), Cell(covered)]
    return Line((row.model,), tuple(cells))
