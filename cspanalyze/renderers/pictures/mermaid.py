"""Diagram -> Mermaid, which GitHub and many wikis draw by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from cspanalyze.diagrams.record import Diagram, Edge, Metric, Node
from cspanalyze.renderers.pictures.look import Direction
from cspanalyze.renderers.pictures.palette import PALETTES, Paint, Theme
from cspanalyze.renderers.pictures.wording import badge, cost_line, scale, whole_of

_SPECIAL = str.maketrans({sign: f"#{ord(sign)};" for sign in '"#;<>&`[]{}|\\'})


def render_mermaid(
    diagram: Diagram, theme: Theme = "light", direction: Direction = "vertical", colour_by: Metric | None = None
) -> str:
    """The diagram as a Mermaid flowchart."""
    ids = {part.id: f"n{number}" for number, part in enumerate(diagram.parts)}
    palette = PALETTES[theme]
    measure = scale(diagram, colour_by) if colour_by else None

    def paint(node: Node) -> Paint:
        if node.state:
            return palette.states[node.state]
        value = node.figure(colour_by) if colour_by else None
        return palette.kind(node.kind) if measure is None or value is None else palette.amount(measure.share(value))

    def costs(node: Node) -> tuple[str, ...]:
        return cost_line(node.figures, colour_by, whole_of(diagram, node, colour_by) if colour_by else None)

    def label(node: Node) -> str:
        sign = {"added": "+ ", "removed": "− ", "changed": "Δ "}.get(node.state, "")
        lines = [f"<b>{_text(sign + node.title)}</b> {badge(node)}".strip(), *map(_text, node.details)]
        lines += [_text(" → ".join(dict.fromkeys(node.shapes))), *map(_text, costs(node))]
        return "<br/>".join(filter(None, lines))

    def inside(frame: str, indent: str) -> Iterator[str]:
        for node in diagram.nodes:
            if node.frame == frame:
                yield f'{indent}{ids[node.id]}("{label(node)}")'
        for inner in diagram.frames:
            if inner.frame == frame:
                yield f'{indent}subgraph {ids[inner.id]}["{_text(f"{inner.title} {badge(inner)}".strip())}"]'
                yield from inside(inner.id, f"{indent}  ")
                yield f"{indent}end"

    def arrow(edge: Edge) -> str:
        sign = "-.->" if edge.state == "removed" else "==>" if edge.bypass else "-->"
        reuse = f'|"×{edge.reuse:.1f}"|' if colour_by == "gradients" and edge.reuse and edge.reuse > 1 else ""
        return f"  {ids[edge.source]} {sign}{reuse} {ids[edge.target]}"

    lines = ["flowchart " + ("TB" if direction == "vertical" else "LR"), *inside("", "  "), *map(arrow, diagram.edges)]
    bypasses = [str(number) for number, edge in enumerate(diagram.edges) if edge.bypass]
    if bypasses:
        lines.append(f"  linkStyle {','.join(bypasses)} stroke:{palette.bypass},stroke-width:3px")
    for node in diagram.nodes:
        colours = paint(node)
        line = f"{palette.highlight},stroke-width:4px" if node.highlighted else colours.line
        ink = palette.text_on(colours.fill)[0]
        lines.append(f"  style {ids[node.id]} fill:{colours.fill},stroke:{line},color:{ink}")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text).translate(_SPECIAL)
