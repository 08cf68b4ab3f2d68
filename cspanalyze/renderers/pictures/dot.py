"""Diagram -> DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from cspanalyze.diagrams.record import Diagram, Edge, Node
from cspanalyze.renderers.pictures.captions import Captions, tip
from cspanalyze.renderers.pictures.look import DEFAULT, Look
from cspanalyze.renderers.pictures.palette import FONT, PALETTES, Paint, Palette
from cspanalyze.renderers.pictures.tags import attributes, quoted

_TRUE_TO_SHAPE = 250  # nodes up to which arrows are curves that avoid the nodes
_MOST_EDGES = 900
_LAST_EDGES = 3


def frame_ids(diagram: Diagram) -> dict[str, str]:
    """The names of the clusters in DOT, and the frames that they are."""
    first = len(diagram.nodes)
    return {f"cluster_n{first + number}": frame.id for number, frame in enumerate(diagram.frames)}


def render_dot(diagram: Diagram, look: Look = DEFAULT) -> str:
    """The diagram as a DOT digraph."""
    return "\n".join(_Writer(diagram, look).lines()) + "\n"


def too_large(diagram: Diagram) -> bool:
    """Whether curves and frames would take minutes."""
    return len(diagram.nodes) > _TRUE_TO_SHAPE or len(diagram.edges) > 2 * _TRUE_TO_SHAPE


def shown_edges(diagram: Diagram) -> tuple[Edge, ...]:
    """The edges; of very many, of each node only the first that comes in and the last few."""
    if len(diagram.edges) <= _MOST_EDGES:
        return diagram.edges
    into: dict[str, list[Edge]] = {}
    for edge in diagram.edges:
        into.setdefault(edge.target, []).append(edge)
    kept = {id(edge) for edges in into.values() for edge in (edges[0], *edges[-_LAST_EDGES:])}
    return tuple(edge for edge in diagram.edges if id(edge) in kept)


class _Writer:
    def __init__(self, diagram: Diagram, look: Look) -> None:
        self.diagram, self.look = diagram, look
        self.palette: Palette = PALETTES[look.theme]
        self.captions = Captions(diagram, look)
        self.scale = self.captions.scale
        self.edges = shown_edges(diagram)
        self.ids = {part.id: f"n{number}" for number, part in enumerate(diagram.parts)}

    def lines(self) -> Iterator[str]:
        palette, quick = self.palette, self.look.quick
        graph: dict[str, object] = {
            "rankdir": "TB" if self.look.direction == "vertical" else "LR",
            "bgcolor": palette.paper, "fontname": FONT, "fontcolor": palette.ink, "fontsize": 11,
            "pad": 0.3, "nodesep": 0.28, "ranksep": 0.28, "newrank": bool(self.diagram.rows),
            "labelloc": "t", "labeljust": "l", "outputorder": "edgesfirst",
        }  # fmt: skip
        # Without these limits Graphviz takes minutes on some graphs.
        if quick:
            graph |= {"splines": "line", "nslimit": 1, "nslimit1": 1, "mclimit": 0.1}
        else:
            graph |= {"splines": "true", "nslimit": 20, "nslimit1": 20, "mclimit": 2, "ordering": "out"}
        yield "digraph {"
        yield from _settings(
            graph=graph,
            node={"shape": "box", "style": "rounded,filled", "fontname": FONT, "fontsize": 10, "penwidth": 1,
                  "margin": "0.11,0.06", "height": 0.1, "width": 0.1},
            edge={"color": palette.arrow, "fontname": FONT, "fontsize": 9, "fontcolor": palette.faint,
                  "arrowsize": 0.65, "penwidth": 1.1},
        )  # fmt: skip
        left_out = len(self.diagram.edges) - len(self.edges)
        shown = f"of nodes with many inputs {1 + _LAST_EDGES} are drawn: {left_out:,} arrows are left out"
        yield f"label=<{self.captions.heading(shown if left_out else '')}>"
        if quick:
            yield from (self._node(node) for node in self.diagram.nodes)
        else:
            yield from self._inside("", 0)
        # The way through the layers first: Graphviz then draws it straight, and the ways round beside it.
        for edge in sorted(self.edges, key=lambda edge: edge.bypass):
            yield self._edge(edge)
        for row in self.diagram.rows:
            yield "{rank=same; " + "; ".join(self.ids[node] for node in row) + "}"
        yield "}"

    def _inside(self, frame: str, depth: int) -> Iterator[str]:
        for node in self._bypasses_last():
            if node.frame == frame:
                yield self._node(node)
        # From left to right Graphviz stacks upwards: the first of two networks belongs on top.
        upwards = self.look.direction == "horizontal" and not frame
        for inner in reversed(self.diagram.frames) if upwards else self.diagram.frames:
            if inner.frame == frame:
                yield f"subgraph cluster_{self.ids[inner.id]} {{"
                line = self.palette.highlight if inner.highlighted else self.palette.frame_line
                look = {"style": "rounded,filled", "fillcolor": self.palette.frames[depth % 2], "color": line,
                        "penwidth": 2.4 if inner.highlighted else 1, "margin": 11,
                        "labeljust": "r" if self.look.label(inner.id).right else "l",
                        "fontcolor": self.palette.ink, "tooltip": tip(inner)}  # fmt: skip
                yield from (f"{key}={quoted(value)}" for key, value in look.items())
                yield f"label=<{self.captions.frame(inner)}>"
                yield from self._inside(inner.id, depth + 1)
                yield "}"

    def _bypasses_last(self) -> list[Node]:
        """The nodes, those on a way round behind the others: Graphviz then places them to the right."""
        straight = {end for edge in self.diagram.edges if not edge.bypass for end in (edge.source, edge.target)}
        return sorted(self.diagram.nodes, key=lambda node: node.id not in straight)

    def _paint(self, node: Node) -> Paint:
        if node.state:
            return self.palette.states[node.state]
        if self.scale is None or node.kind in ("input", "output"):
            return self.palette.kind(node.kind)
        value = node.figure(self.scale.metric)
        return self.palette.kinds["light"] if value is None else self.palette.amount(self.scale.share(value))

    def _node(self, node: Node) -> str:
        paint = self._paint(node)
        ink, faint = self.palette.text_on(paint.fill)
        look: dict[str, object] = {"fillcolor": paint.fill, "color": paint.line, "tooltip": tip(node)}
        if node.highlighted:
            look |= {"color": self.palette.highlight, "penwidth": 3}
        if node.state in ("removed", "added"):
            look |= {"style": "rounded,filled,dashed" if node.state == "removed" else "rounded,filled,bold"}
        if node.count > 1:
            look |= {"peripheries": 2}
        if node.kind in ("input", "output"):
            look |= {"margin": "0.16,0.07"}
        return f"{self.ids[node.id]} [{attributes(look)} label=<{self.captions.node(node, ink, faint)}>]"

    def _edge(self, edge: Edge) -> str:
        look: dict[str, object] = {
            "tooltip": edge.shape,
            "weight": 0 if edge.state == "removed" else 1 if edge.bypass else 6,
        }
        if edge.bypass:
            look |= {"color": self.palette.bypass, "penwidth": 2.4, "arrowsize": 0.75}
        if self.scale is not None and self.scale.metric == "gradients" and edge.reuse is not None:
            share = self.scale.share(edge.reuse) ** 0.6
            look |= {"color": self.palette.heat(share), "penwidth": 1.2 + 3.2 * share}
            if not self.look.quick and edge.reuse > 1:
                look |= {"label": f" ×{edge.reuse:.1f}".removesuffix(".0"), "fontcolor": self.palette.heat(share)}
            if edge.bypass:
                look |= {"style": "dashed"}
        if edge.state in ("added", "removed"):
            paint = self.palette.states[edge.state]
            look |= {"color": paint.line, "style": "dashed" if edge.state == "removed" else "solid"}
        return f"{self.ids[edge.source]} -> {self.ids[edge.target]} [{attributes(look)}]"


def _settings(**groups: dict[str, object]) -> Iterator[str]:
    for name, values in groups.items():
        yield f"{name} [{attributes(values)}]"
