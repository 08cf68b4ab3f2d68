"""A paper's tables beside the counts here -> text or data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import groupby

from cspanalyze.renderers.figures import UNKNOWN, percent
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line, Tone
from cspanalyze.renderers.style import Style
from cspanalyze.results import Publication, PublishedFigure, PublishedRow, dumps

_COLUMNS = (
    ("params", "M", ("weights", "params")),
    ("BFLOPs", "G", ("flops_darknet",)),
    ("CIO", "M elements", ("cio_pool",)),
)
_FIELDS = (
    "where", "model", "network", "side", "metric", "printed", "scale", "counted", "deviation", "agrees", "status",
    "note",
)  # fmt: skip
_REMARKS = (
    "= all printed digits agree; otherwise the relative difference of the count from the printed figure",
    "params = weights of convolutions and classifier, without norms and biases; * all parameters, as the paper took "
    "them from others: `params --rule weights`",
    "BFLOPs = 2 x MACs + max-pool windows, as Darknet counts: `flops --convention darknet`",
    "CIO = inputs and outputs of convolutions and pools: `cio --rule conv+pool`",
    "exact: the published definition, and all digits agree; reconstruction: no definition was published, so this is a "
    "plain reading of the paper, the nearest where its words leave a choice; no width or depth is fitted to a figure",
)


def render_publication(publication: Publication, format: str, style: Style) -> str:
    """The tables in any of the formats that a run can be written in."""
    if format == "json":
        return dumps(publication)
    if format == "csv":
        return _csv(publication.rows)
    from cspanalyze.renderers import render_document

    return render_document(_document(publication), format, style)


def _csv(rows: Sequence[PublishedRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for row in rows:
        for figure in row.figures:
            known = (figure.metric, figure.printed, figure.scale, figure.counted, figure.deviation, figure.agrees)
            fields = (row.where, row.model, row.network, row.side, *known, row.status, row.note)
            writer.writerow(["" if field is None else str(field) for field in fields])
    return text.getvalue()


def _document(publication: Publication) -> Document:
    groups = [list(group) for _, group in groupby(publication.rows, key=lambda row: row.where)]
    grids = [_grid(rows) for rows in groups] + _definitions(publication.rows)
    return Document(publication.source, tuple(grids), _REMARKS, (_conclusion(publication.rows),))


def _grid(rows: Sequence[PublishedRow]) -> Grid:
    """The printed figure, the count and the difference of each metric that these rows print."""
    kinds = [kind for kind in _COLUMNS if any(row.figure(*kind[2]) for row in rows)]
    columns = [Column("input")]
    for title, unit, _ in kinds:
        columns += [Column(f"{title} printed", unit), Column("counted", unit, glued=True), Column("diff.", glued=True)]
    columns.append(Column("status", align="left"))
    blocks = []
    for row in rows:
        cells = [Cell(str(row.side))]
        for _, _, metrics in kinds:
            cells += _cells(row.figure(*metrics))
        tone: Tone = {"exact": "better", "differs": "worse"}.get(row.status, "faint")  # type: ignore[assignment]
        blocks.append(Block((Line((row.model,), (*cells, Cell(row.status, tone))),)))
    return Grid((Column("", align="left"),), tuple(columns), tuple(blocks), rows[0].where)


def _cells(figure: PublishedFigure | None) -> list[Cell]:
    if figure is None:
        return [Cell(UNKNOWN, "faint"), Cell(UNKNOWN, "faint"), Cell(UNKNOWN, "faint")]
    printed = Cell(f"{figure.printed}{'*' if figure.metric == 'params' else ''}")
    if figure.counted is None or figure.deviation is None:
        return [printed, Cell(UNKNOWN, "faint"), Cell(UNKNOWN, "faint")]
    # One digit more than is printed, so that a small difference is seen.
    digits = len(figure.printed.partition(".")[2]) + 1
    difference = Cell("=", "better") if figure.agrees else Cell(percent(figure.deviation), "worse")
    return [printed, Cell(f"{figure.counted / figure.scale:.{digits}f}"), difference]


def _definitions(rows: Sequence[PublishedRow]) -> list[Grid]:
    """The built-in network behind each printed name, each once; how it was read, or why a figure differs."""
    lines = {
        (row.model, row.network): Line((row.model,), (Cell(row.network), Cell(row.note))) for row in rows if row.network
    }
    if not lines:
        return []
    columns = (Column("network", align="left"), Column("remark", align="left"))
    blocks = tuple(Block((line,)) for line in lines.values())
    return [Grid((Column("", align="left"),), columns, blocks, "The built-in networks")]


def _conclusion(rows: Sequence[PublishedRow]) -> str:
    """How many rows are what, and how far off the reconstructions are."""
    count = {status: sum(row.status == status for row in rows) for status in dict.fromkeys(row.status for row in rows)}
    listed = ", ".join(f"{number} {status}" for status, number in count.items())
    rebuilt = [f for row in rows if row.status == "reconstruction" for f in row.figures if f.deviation is not None]
    if not rebuilt:
        return f"{len(rows)} printed rows: {listed}."
    far = max(rebuilt, key=lambda figure: abs(figure.deviation or 0.0))
    name = next(row.model for row in rows if far in row.figures and row.status == "reconstruction")
    within = sum(abs(figure.deviation or 0.0) <= 0.05 for figure in rebuilt)
    return (
        f"{len(rows)} printed rows: {listed}. Of the {len(rebuilt)} figures of reconstructions {within} are within "
        f"5 %; the farthest is {percent(far.deviation or 0.0)} ({name})."
    )
