"""Diagram -> table or CSV: what the picture shows, to read in a terminal."""

from __future__ import annotations

import csv
import io

from cspanalyze.diagrams.record import Diagram, Frame, Metric, Node
from cspanalyze.renderers.columns import heading
from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.pictures.wording import badge

_TITLES: dict[Metric, str] = {"bytes": "fused bytes", "traffic": "cache-model bytes", "gradients": "gradient reuse"}
_UNITS: dict[Metric, str] = {"macs": "MAC", "cio": "elements", "bytes": "B", "traffic": "B"}


def diagram_document(diagram: Diagram) -> Document:
    """The nodes in order, each frame a line over those inside it."""
    metrics = [each.metric for each in diagram.totals]
    lines: list[Line] = []

    def add(frame: str, depth: int) -> None:
        for part in _in_order(diagram, frame):
            name = " ".join(filter(None, (part.title, badge(part), *part.details)))
            shape = " → ".join(dict.fromkeys(part.shapes)) if isinstance(part, Node) else ""
            figures = {each.metric: each.value for each in part.figures}
            cells = [Cell(figure(figures[m]) if m in figures else "") for m in metrics]
            sign = (
                {"added": "+ ", "removed": "− ", "changed": "Δ "}.get(part.state, "") if isinstance(part, Node) else ""
            )
            lines.append(Line((f"{'  ' * depth}{sign}{name}", part.name), (Cell(shape), *cells), depth))
            if isinstance(part, Frame):
                add(part.id, depth + 1)

    add("", 0)
    columns = (
        Column("shape", align="left"),
        *(Column(_TITLES.get(m, heading(m).title.removesuffix(" trace")), _UNITS.get(m, "")) for m in metrics),
    )
    total = Line(("total", ""), (Cell(), *(Cell(figure(each.value)) for each in diagram.totals)))
    blocks = (Block(tuple(lines)), Block((total,), total=True))
    grid = Grid((Column("node", align="left"), Column("where", align="left")), columns, blocks)
    return Document(f"{diagram.title}  {diagram.subtitle}".strip(), (grid,), diagram.notes)


def render_diagram_csv(diagram: Diagram) -> str:
    """A line a node, with full integers."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    metrics = [each.metric for each in diagram.totals]
    writer.writerow(["id", "title", "name", "kind", "frame", "count", "shape_in", "shape_out", "state", *metrics])
    for node in diagram.nodes:
        ends = (*node.shapes, "", "")[:2] if len(node.shapes) != 1 else ("", *node.shapes)
        figures = [node.figure(metric) for metric in metrics]
        writer.writerow(
            [node.id, node.title, node.name, node.kind, node.frame, node.count, *ends, node.state, *figures]
        )
    return file.getvalue()


def _in_order(diagram: Diagram, frame: str) -> list[Node | Frame]:
    """The parts of a frame in the order of the first node of each."""
    place = {node.id: number for number, node in enumerate(diagram.nodes)}
    for inner in reversed(diagram.frames):  # inner frames stand behind outer ones
        inside = [place[n.id] for n in diagram.nodes if n.frame == inner.id]
        inside += [place[f.id] for f in diagram.frames if f.frame == inner.id and f.id in place]
        place[inner.id] = min(inside, default=len(diagram.nodes))
    parts: list[Node | Frame] = [part for part in diagram.parts if part.frame == frame]
    return sorted(parts, key=lambda part: place[part.id])
