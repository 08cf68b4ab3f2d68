"""SVG of a schematic -> DOT with every shape pinned to its place, for the formats that Graphviz draws: PNG and PDF.

Only what `renderers/pictures/schematic.py` writes is understood: rectangles, circles, paths of M, H, V, h, v, Q and C,
lines of text, and groups that are moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from cspanalyze.renderers.pictures.palette import FONT
from cspanalyze.renderers.pictures.tags import attributes, font, quoted, spelled

Point = tuple[float, float]
_STEP = re.compile(r"([MHVhvQCZ])([^A-Za-z]*)")
_NUMBER = re.compile(r"-?[\d.]+")
_SIGN = 0.6  # width of a sign, in sizes of the type: at least what it is on average


def pinned_dot(svg: str) -> str:
    """The picture as DOT for the layout `nop2`, which moves nothing; one unit of the SVG is a point."""
    root = ElementTree.fromstring(svg)
    return "\n".join(_Writer(root).lines()) + "\n"


class _Writer:
    def __init__(self, root: Element) -> None:
        self.root = root
        self.width, self.height = float(root.get("width", 0)), float(root.get("height", 0))
        self.count = 0

    def lines(self) -> Iterator[str]:
        yield "digraph {"
        paper = next(e.get("fill", "") for e in self.root if e.get("width") == "100%")
        # Lines below, shapes above them in the order in which they are written.
        yield f"graph [{attributes({'bgcolor': paper, 'pad': 0, 'outputorder': 'edgesfirst', 'splines': 'true'})}]"
        yield f"node [{attributes({'fontname': FONT, 'margin': 0, 'fixedsize': True, 'shape': 'box'})}]"
        for x, y in ((0.0, 0.0), (self.width, self.height)):  # the corners keep the margins of the drawing
            yield self._node((x, y), 0, 0, {"style": "invis"})
        yield from self._inside(self.root, (0.0, 0.0))
        yield "}"

    def _inside(self, group: Element, at: Point) -> Iterator[str]:
        for element in group:
            match element.tag.rpartition("}")[2]:
                case "g":
                    x, y = map(float, _NUMBER.findall(element.get("transform", "0 0")))
                    yield from self._inside(element, (at[0] + x, at[1] + y))
                case "rect" if element.get("width") != "100%":
                    yield self._rectangle(element, at)
                case "circle":
                    radius = float(element.get("r", 0))
                    place = (at[0] + float(element.get("cx", 0)), at[1] + float(element.get("cy", 0)))
                    look = {"shape": "circle", "fontcolor": element.get("stroke"), "fontsize": 13, **_paint(element)}
                    yield self._node(place, 2 * radius, 2 * radius, look, quoted("+"))  # hides the sign that is a line
                case "path":
                    yield from self._path(element, at)
                case "text":
                    yield self._text(element, at)

    def _node(self, middle: Point, width: float, height: float, look: dict[str, object], label: str = "") -> str:
        self.count += 1
        place = {"pos": f"{middle[0]:.2f},{self.height - middle[1]:.2f}", "width": width / 72, "height": height / 72}
        return f"n{self.count} [{attributes(place | look)} label={label or quoted('')}]"

    def _rectangle(self, element: Element, at: Point) -> str:
        x, y, width, height = (float(element.get(name, 0)) for name in ("x", "y", "width", "height"))
        look = _paint(element) | {"style": "filled,rounded" if element.get("rx") else "filled"}
        return self._node((at[0] + x + width / 2, at[1] + y + height / 2), width, height, look)

    def _path(self, element: Element, at: Point) -> Iterator[str]:
        line = {"color": element.get("stroke"), "penwidth": float(element.get("stroke-width", 1))}
        marked = element.get("marker-end", "")
        for knots in _curves(element.get("d", "")):
            end = (
                {"arrowhead": "normal", "arrowsize": 0.9 if "bypass" in marked else 0.6} if marked else {"dir": "none"}
            )
            first, last = self.count + 1, self.count + 2
            for x, y in (knots[0], knots[-1]):
                yield self._node((at[0] + x, at[1] + y), 0.1, 0.1, {"style": "invis"})
            # Graphviz draws the head of an arrow from the end of the curve to the tip.
            shaft = _shortened(knots, 8.0 if "bypass" in marked else 6.0) if marked else knots
            places = [f"{at[0] + x:.2f},{self.height - at[1] - y:.2f}" for x, y in (*shaft, knots[-1])]
            way = " ".join([f"e,{places[-1]}", *places[:-1]] if marked else places[:-1])
            yield f"n{first} -> n{last} [{attributes({'pos': way, **line, **end})}]"

    def _text(self, element: Element, at: Point) -> str:
        size = float(element.get("font-size", 12))
        x, y = at[0] + float(element.get("x", 0)), at[1] + float(element.get("y", 0))
        ink = element.get("fill", "")
        bold = "<B>{}</B>" if element.get("font-weight") else "{}"
        markup = bold.format(_written(element.text, size, ink))
        for part in element:  # an index, or a note in a type of its own
            if part.get("baseline-shift"):
                markup += f"<SUB>{_written(part.text, 0.85 * size, ink)}</SUB>"
            else:
                own = float(part.get("font-size", size))
                markup += _written(f"    {part.text}", own, part.get("fill", ink))
            markup += bold.format(_written(part.tail, size, ink)) if part.tail else ""
        if element.get("font-style"):
            markup = f"<I>{markup}</I>"
        align = {"start": "LEFT", "middle": "CENTER"}[element.get("text-anchor", "start")]
        wide, high = _SIGN * size * len("".join(element.itertext())) + size, 1.4 * size
        middle = x if align == "CENTER" else x + wide / 2
        cell = f'<TD ALIGN="{align}" WIDTH="{wide:.0f}">{markup}</TD>'
        label = f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cell}</TR></TABLE>>'
        # SVG gives the line that letters stand on, Graphviz the middle of the box.
        return self._node((middle, y - 0.34 * size), wide, high, {"shape": "none"}, label)


def _written(text: str | None, size: float, ink: str) -> str:
    """Text in a type; none at all for none, which Graphviz would take for an error."""
    return font(spelled(text), size, ink) if text else ""


def _paint(element: Element) -> dict[str, object]:
    return {"fillcolor": element.get("fill"), "color": element.get("stroke"), "style": "filled"}


def _curves(path: str) -> Iterator[list[Point]]:
    """The pieces of a path that hang together, as the knots and handles of cubic curves."""
    knots: list[Point] = []
    for command, text in _STEP.findall(path):
        numbers = [float(number) for number in _NUMBER.findall(text)]
        if command == "M":
            if len(knots) > 1:
                yield knots
            knots = [(numbers[0], numbers[1])]
            continue
        x, y = knots[-1]
        match command:
            case "H" | "h":
                knots += _line((x, y), (numbers[0] + (x if command == "h" else 0), y))
            case "V" | "v":
                knots += _line((x, y), (x, numbers[0] + (y if command == "v" else 0)))
            case "Q":  # a quadratic curve as a cubic one
                a, b, end = numbers[0], numbers[1], (numbers[2], numbers[3])
                knots += [(x + 2 * (a - x) / 3, y + 2 * (b - y) / 3)]
                knots += [(end[0] + 2 * (a - end[0]) / 3, end[1] + 2 * (b - end[1]) / 3), end]
            case "C":
                knots += list(zip(numbers[::2], numbers[1::2], strict=True))
    if len(knots) > 1:
        yield knots


def _line(start: Point, end: Point) -> list[Point]:
    return [start, end, end]


def _shortened(knots: Sequence[Point], length: float) -> list[Point]:
    """The curve without its last piece of that length, along the way that it ends."""
    (x, y), ahead = knots[-1], next(p for p in reversed(knots[:-1]) if p != knots[-1])
    dx, dy = x - ahead[0], y - ahead[1]
    scale = min(1.0, length / ((dx * dx + dy * dy) ** 0.5))
    end = (x - dx * scale, y - dy * scale)
    return [*knots[:-2], end if knots[-2] == knots[-1] else knots[-2], end]
