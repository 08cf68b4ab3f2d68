"""Diagram -> DOT, the language of Graphviz."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal

from cspanalyze.diagrams.record import Diagram, Edge, Frame, Metric, Node, State
from cspanalyze.renderers.pictures.palette import (
    FAMILY,
    FAMILY_WORDS,
    FONT,
    PALETTES,
    STATE_WORDS,
    Paint,
    Palette,
    Theme,
)
from cspanalyze.renderers.pictures.wording import METRIC_WORDS, badge, cost_line, scale, short, summary, whole_of

Direction = Literal["vertical", "horizontal"]
_TRUE_TO_SHAPE = 250  # nodes up to which arrows are curves that avoid the nodes
_MOST_EDGES = 900
_LAST_EDGES = 3
_LEGEND_SIGNS = 84
_BESIDE_TITLE = 26
_NAMELESS = ("concat", "add", "multiply", "slice")  # the container's name would say nothing
_TAG = re.compile("<[^>]*>")


@dataclass(frozen=True, slots=True)
class Look:
    """How a diagram is drawn.

    `quick` gives up curves and frames, for graphs that would take minutes otherwise. `labelled_right` are the ids of
    frames whose label stands to the right.
    """

    theme: Theme = "light"
    direction: Direction = "vertical"
    colour_by: Metric | None = None
    quick: bool = False
    labelled_right: frozenset[str] = frozenset()


def frame_ids(diagram: Diagram) -> dict[str, str]:
    """The names of the clusters in DOT, and the frames that they are."""
    first = len(diagram.nodes)
    return {f"cluster_n{first + number}": frame.id for number, frame in enumerate(diagram.frames)}


def render_dot(diagram: Diagram, look: Look = Look()) -> str:
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
        self.scale = scale(diagram, look.colour_by) if look.colour_by else None
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
        yield f"label=<{self._heading()}>"
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
                        "labeljust": "r" if inner.id in self.look.labelled_right else "l",
                        "fontcolor": self.palette.ink, "tooltip": _tip(inner)}  # fmt: skip
                yield from (f"{key}={_quoted(value)}" for key, value in look.items())
                yield f"label=<{self._frame_label(inner)}>"
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
        look: dict[str, object] = {"fillcolor": paint.fill, "color": paint.line, "tooltip": _tip(node)}
        if node.highlighted:
            look |= {"color": self.palette.highlight, "penwidth": 3}
        if node.state in ("removed", "added"):
            look |= {"style": "rounded,filled,dashed" if node.state == "removed" else "rounded,filled,bold"}
        if node.count > 1:
            look |= {"peripheries": 2}
        if node.kind in ("input", "output"):
            text = f"<B>{_text(node.title)}</B>  {_text(' '.join(node.shapes))}"
            return f"{self.ids[node.id]} [{_list(look | {'margin': '0.16,0.07'})} label=<{_font(text, 10, ink)}>]"
        return f"{self.ids[node.id]} [{_list(look)} label=<{self._label(node, ink, faint)}>]"

    def _label(self, node: Node, ink: str, faint: str) -> str:
        sign = {"added": "+ ", "removed": "− ", "changed": "Δ "}.get(node.state, "")
        head = f"<B>{_text(sign + node.title)}</B>"
        if badge(node):
            head += f"  <B>{_font(badge(node), 13, ink)}</B>"
        rows = [_font(head, 11.5, ink)]
        if node.details and len(" · ".join(node.details)) < _BESIDE_TITLE:
            rows[0] += _font(_text("  " + " · ".join(node.details)), 9.5, ink)
        elif node.details:
            rows.append(_font(_text(" · ".join(node.details)), 9.5, ink))
        name = self._name(node)
        if name and name != node.title and node.kind not in _NAMELESS and self.diagram.level != "op":
            rows.append(_font(_text(_shortened(name)), 9, faint))
        if node.shapes:
            shapes = list(dict.fromkeys(node.shapes))
            rows.append(_font(_text(" → ".join(shapes)), 9.5, ink))
        costs = self._costs(node)
        if costs:
            rows.append(
                _font(f"<B>{_text(' · '.join(costs))}</B>" if self.scale else _text("  ·  ".join(costs)), 9.5, ink)
            )
        cells = "".join(f'<TR><TD ALIGN="LEFT" BALIGN="LEFT">{row}</TD></TR>' for row in rows)
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{cells}</TABLE>'

    def _frame_label(self, frame: Frame) -> str:
        ink, faint = self.palette.ink, self.palette.faint
        head = _font(f"<B>{_text(frame.title)}</B>", 12.5, ink)
        if badge(frame):
            head += f"  <B>{_font(badge(frame), 15, self.palette.kinds['block'].line)}</B>"
        rows, widest = [head], 1.5 * len(frame.title)
        name = self._name(frame)
        costs = "  ·  ".join(self._costs(frame))
        for text in ("" if name == frame.title else _shortened(name, 30), *frame.details, costs):
            if text:
                rows.append(_font(_text(text), 9, faint))
                widest = max(widest, len(text))
        # Arrows come in through the top of the frame: room for the label on both sides of them.
        vertical = self.look.direction == "vertical"
        spare = f'<TD ROWSPAN="{len(rows)}" WIDTH="{5 * widest + 24:.0f}"></TD>' if vertical else ""
        right = frame.id in self.look.labelled_right
        cells = "".join(
            f'<TR>{spare if right and not n else ""}<TD ALIGN="LEFT">{row}</TD>{"" if right or n else spare}</TR>'
            for n, row in enumerate(rows)
        )
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{cells}</TABLE>'

    def _costs(self, part: Node | Frame) -> tuple[str, ...]:
        by = self.look.colour_by
        return cost_line(part.figures, by, whole_of(self.diagram, part, by) if by else None)

    def _name(self, part: Node | Frame) -> str:
        """Its name without that of the frame around."""
        for frame in self.diagram.frames:
            if frame.id == part.frame:
                for around in (frame.name, frame.id):
                    inner = part.name.removeprefix(f"{around}.")
                    if inner != part.name and not inner[0].isdigit():
                        return inner
        return part.name

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
        return f"{self.ids[edge.source]} -> {self.ids[edge.target]} [{_list(look)}]"

    def _heading(self) -> str:
        ink, faint = self.palette.ink, self.palette.faint
        rows = [_font(f"<B>{_text(self.diagram.title)}</B>", 18, ink)]
        lines = [summary(self.diagram), *self.diagram.notes]
        if len(self.edges) < len(self.diagram.edges):
            left_out = len(self.diagram.edges) - len(self.edges)
            lines.append(f"of nodes with many inputs {1 + _LAST_EDGES} are drawn: {left_out:,} arrows are left out")
        rows += [_font(_text(line), 10.5, faint) for line in lines if line]
        cells = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
        cells += self._legend()
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{cells}<TR><TD> </TD></TR></TABLE>'

    def _legend(self) -> str:
        items = list(self._swatches())
        if any(edge.bypass for edge in self.diagram.edges):
            dashed = self.scale is not None and self.scale.metric == "gradients"
            line = "╍╍" if dashed else "━━"
            items.append(f"{_font(f'<B>{line}</B>', 10, self.palette.bypass)}{self._said('bypass')}")
        if self.scale is not None and self.scale.metric == "gradients":
            note = "weight updates that the same gradient enters, mean over channels"
            items.append(f"{_font('<B>×M</B>', 10, self.palette.heat(0.7))}{self._said(note)}")
        most = _LEGEND_SIGNS if self.look.direction == "vertical" else 3 * _LEGEND_SIGNS
        lines: list[list[str]] = [[]]
        length = 0
        for item in items:
            signs = len(_TAG.sub("", item)) + 4
            if lines[-1] and length + signs > most:
                lines.append([])
                length = 0
            lines[-1].append(item)
            length += signs
        return "".join(f'<TR><TD ALIGN="LEFT">{"    ".join(line)}</TD></TR>' for line in lines if line)

    def _swatches(self) -> Iterator[str]:
        states: list[State] = [s for s in STATE_WORDS if any(node.state == s for node in self.diagram.nodes)]
        if states:
            yield from (self._swatch(self.palette.states[state], STATE_WORDS[state]) for state in states)
            return
        if self.scale is not None:
            bar = "".join(_font("█", 9, self.palette.amount(n / 8).fill) for n in range(9))
            low, high = self.scale.low, self.scale.high
            end = f"{high:.1f}" if self.scale.metric == "gradients" else short(round(high))
            yield f"{self._said(f'{METRIC_WORDS[self.scale.metric]}  {low:.0f}')}{bar}{self._said(end)}"
            return
        families = {FAMILY.get(node.kind, "other") for node in self.diagram.nodes}
        for family, words in FAMILY_WORDS.items():
            if family in families and family != "end":
                yield self._swatch(self.palette.kinds[family], words)

    def _swatch(self, paint: Paint, words: str) -> str:
        return f"{_font('■', 11, paint.line)}{self._said(words)}"

    def _said(self, words: str) -> str:
        return _font(f" {_text(words)} ", 9.5, self.palette.faint)


def _settings(**groups: dict[str, object]) -> Iterator[str]:
    for name, values in groups.items():
        yield f"{name} [{_list(values)}]"


def _list(values: dict[str, object]) -> str:
    return " ".join(f"{key}={_quoted(value)}" for key, value in values.items())


def _quoted(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _text(text: str) -> str:
    return escape(_printable(text))


def _font(markup: str, size: float, colour: str) -> str:
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{colour}">{markup}</FONT>'


def _shortened(name: str, most: int = 44) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"


def _tip(part: Node | Frame) -> str:
    return part.name or part.title
