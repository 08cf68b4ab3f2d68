"""The stages found in a network -> text or data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict

from cspanalyze.renderers.figures import UNKNOWN
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style
from cspanalyze.results import SCHEMA_VERSION, StageFound, StageListing

CSV_FIELDS = ("kind", "module", "type", "blocks", "channels", "height", "width", "groups", "presets", "reason")


def render_stages(listing: StageListing, format: str, style: Style) -> str:
    """The listing in any of the formats that a run can be written in."""
    if format == "json":
        return json.dumps({"schema": SCHEMA_VERSION, "kind": "stages", **asdict(listing)}, indent=1) + "\n"
    if format == "csv":
        return _csv(listing)
    from cspanalyze.renderers import render_document

    return render_document(_document(listing), format, style)


def _csv(listing: StageListing) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for stage in listing.stages:
        sizes = (stage.blocks, stage.channels, stage.height, stage.width, stage.groups)
        writer.writerow(("stage", stage.stage, stage.block, *sizes, " ".join(stage.presets), stage.skipped))
    for each in listing.refused:
        writer.writerow(("refused", each.module, each.type, *[""] * 6, each.reason))
    return text.getvalue()


def _document(listing: StageListing) -> Document:
    subject = listing.subject
    count, able = len(listing.stages), sum(not stage.skipped for stage in listing.stages)
    found = f"{count} {'stage' if count == 1 else 'stages'}"
    partial = "" if able == count else f", {able or 'none'} of which can be made partial"
    title = f"{subject.name} ({subject.source}), input {', '.join(subject.inputs)}: {found}{partial}"
    grids = [grid for grid in (_stages(listing), _refused(listing)) if grid.blocks]
    remarks = []
    if listing.stages:
        remarks = [
            "blocks = equal blocks that run one after the other; groups = part widths are multiples of it",
            "presets = rules that fit; --preset auto takes the first",
        ]
    return Document(title, tuple(grids), tuple(remarks), (listing.reason,) if listing.reason else ())


def _stages(listing: StageListing) -> Grid:
    titles = ("blocks", "type", "channels", "resolution", "groups", "presets", "remark")
    left = ("type", "presets", "remark")
    remarked = any(stage.skipped for stage in listing.stages)
    columns = [Column(title, align="left" if title in left else "right") for title in titles]

    def line(stage: StageFound) -> Line:
        resolution = UNKNOWN if stage.height is None else f"{stage.height}x{stage.width}"
        texts = (str(stage.blocks), stage.block, str(stage.channels), resolution, str(stage.groups))
        cells = tuple(map(Cell, (*texts, " ".join(stage.presets) or UNKNOWN, stage.skipped)))
        return Line((stage.stage,), cells if remarked else cells[:-1])

    blocks = tuple(Block((line(stage),)) for stage in listing.stages)
    return Grid((Column("stage", align="left"),), tuple(columns if remarked else columns[:-1]), blocks)


def _refused(listing: StageListing) -> Grid:
    columns = (Column("type", align="left"), Column("reason", align="left"))
    blocks = tuple(Block((Line((each.module,), (Cell(each.type), Cell(each.reason))),)) for each in listing.refused)
    return Grid((Column("module", align="left"),), columns, blocks, "No part of a stage")
