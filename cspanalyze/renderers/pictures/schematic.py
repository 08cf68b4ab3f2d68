"""Schematic -> SVG: bars as high as they have channels, boxes for layers, the way round above."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from cspanalyze.diagrams.schematic import Detour, Gap, Layer, Panel, Role, Schematic, Segment, Stack
from cspanalyze.renderers.pictures.palette import FONT, PALETTES, Paint, Palette, Theme

_BAR, _SPACE, _GAP = 20, 24, 30
_TALLEST = 150.0  # of the bars, in pixels
_LEAST = 7.0  # a segment can be seen
_BOX = 46
_MARGIN = 28
_LANE = 54  # from the highest bar up to the way round
_INDEX = re.compile(r"(?<=\b[xgw])_([A-Z])")
_WIDTHS = {"bold": 6.6, "plain": 5.6}


def render_schematic(schematic: Schematic, theme: Theme = "light") -> str:
    """The schematic as an SVG document."""
    scale = _Scale(max(_channels(panel) for panel in schematic.panels))
    palette = PALETTES[theme]
    drawings = [_Panel(panel, palette, scale) for panel in schematic.panels]
    column = 40 + max(drawing.flow_width for drawing in drawings)  # all equations stand below each other
    width = 2 * _MARGIN + max(11.0 * len(schematic.title), *(drawing.width(column) for drawing in drawings))
    body: list[str] = [_text(_MARGIN, 42, schematic.title, 20, palette.ink, weight="bold")]
    top = 62.0
    for drawing in drawings:
        rule = f'<path d="M0 0H{width - 2 * _MARGIN:.0f}" stroke="{palette.frame_line}"/>'
        body += [f'<g transform="translate({_MARGIN} {top:.1f})">', rule, *drawing.lines(column), "</g>"]
        top += drawing.height + 26
    body += _legend(schematic, palette, top)
    height = top + 24
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" font-family="{FONT}" role="img">',
            f"<title>{escape(schematic.title)}</title>",
            f"<defs>{_arrowhead('arrow', 7, palette.arrow)}{_arrowhead('bypass', 5, palette.bypass)}</defs>",
            f'<rect width="100%" height="100%" fill="{palette.paper}"/>',
            *body,
            "</svg>",
        ]
    ) + "\n"  # fmt: skip


def render_schematic_as(schematic: Schematic, format: str, theme: Theme = "light") -> str | bytes:
    """The schematic as `svg`, or drawn by Graphviz as `png` or `pdf`.

    Raises:
        OutputError: there is no Graphviz, or it fails.
    """
    from cspanalyze.renderers.pictures.graphviz import draw_pinned
    from cspanalyze.renderers.pictures.pinned import pinned_dot

    svg = render_schematic(schematic, theme)
    return svg if format == "svg" else draw_pinned(pinned_dot(svg), format)


def _arrowhead(name: str, size: int, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="{size}" markerHeight="{size}" '
        f'orient="auto"><path d="M0 0 8 4 0 8Z" fill="{colour}"/></marker>'
    )


def _channels(panel: Panel) -> int:
    return max(item.channels for item in panel.items if isinstance(item, Stack))


class _Scale:
    """Pixels for channels."""

    def __init__(self, most: int) -> None:
        self._pixels = _TALLEST / max(1, most)

    def __call__(self, segment: Segment) -> float:
        return max(_LEAST, segment.channels * self._pixels)

    def height(self, stack: Stack) -> float:
        """Of a whole bar."""
        return sum(self(segment) for segment in stack.segments)


class _Panel:
    def __init__(self, panel: Panel, palette: Palette, scale: _Scale) -> None:
        self.panel, self.palette, self.scale = panel, palette, scale
        self.lane = _LANE if panel.detour else 16
        highest = max(scale.height(item) for item in panel.items if isinstance(item, Stack))
        self.middle = 40 + self.lane + max(highest, _BOX + 30) / 2
        self.bottom = self.middle + max(highest, _BOX + 30) / 2
        self.places: list[tuple[float, float]] = []
        x = 0.0
        for item in panel.items:
            wide = _wide(item)
            self.places.append((x, x + wide))
            x += wide + _SPACE
        self.equations = max((5.9 * len(line) for line in panel.updates), default=0)
        self.flow_width = x - _SPACE
        self.height = max(self.bottom + 30, 58 + 17 * len(panel.updates))

    def width(self, column: float) -> float:
        """Of all of it, with the equations at `column`."""
        return max(
            column + self.equations if self.panel.updates else self.flow_width, 7.0 * len(self.panel.title) + 200
        )

    def lines(self, column: float) -> Iterator[str]:
        palette = self.palette
        title, subtitle = (escape(text) for text in (self.panel.title, self.panel.subtitle))
        yield (
            f'<text y="22" font-size="14" font-weight="bold" fill="{palette.ink}">{title}<tspan dx="14" font-size="11" '
            f'font-weight="normal" fill="{palette.faint}">{subtitle}</tspan></text>'
        )
        yield from self._arrows()
        for number, item in enumerate(self.panel.items):
            left, right = self.places[number]
            if isinstance(item, Stack):
                yield from self._bar(item, left)
            elif isinstance(item, Layer):
                yield from self._box(item, left, right, self.middle)
            else:
                yield _text((left + right) / 2, self.middle - 6, item.text, 11, palette.faint, anchor="middle")
        if self.panel.detour is not None:
            yield from self._way_round(self.panel.detour)
        for number, line in enumerate(self.panel.updates):
            yield _text(column, 58 + 17 * number, line, 12, palette.ink, style="italic")

    def _arrows(self) -> Iterator[str]:
        y = self.middle
        for number in range(len(self.panel.items) - 1):
            item, after = self.panel.items[number], self.panel.items[number + 1]
            if isinstance(item, Gap):
                continue
            start, end = self.places[number][1], self.places[number + 1][0]
            if isinstance(after, Gap):
                end = self.places[number + 2][0]
            at = y
            if isinstance(item, Stack) and self.panel.detour and number == self.panel.detour.start:
                at = self._part_middle(item, "part") if len(item.segments) > 1 else y
            to = y
            if isinstance(self.panel.items[-1], Stack) and self.panel.detour and isinstance(after, Gap | Stack):
                stop = number + (2 if isinstance(after, Gap) else 1)
                joined = self.panel.items[stop]
                if stop == self.panel.detour.stop and isinstance(joined, Stack):
                    to = self._rest_middle(joined)
            bend, tip = (start + end) / 2, end - 3
            curve = f"C{bend:.1f} {at:.1f} {bend:.1f} {to:.1f} {tip:.1f} {to:.1f}"
            yield (
                f'<path d="M{start:.1f} {at:.1f}{f"H{tip:.1f}" if at == to else curve}" fill="none" '
                f'stroke="{self.palette.arrow}" stroke-width="1.4" marker-end="url(#arrow)"/>'
            )

    def _top(self, stack: Stack) -> float:
        return self.middle - self.scale.height(stack) / 2

    def _part_middle(self, stack: Stack, role: Role) -> float:
        y = self._top(stack)
        for segment in stack.segments:
            if segment.role == role:
                return y + self.scale(segment) / 2
            y += self.scale(segment)
        return self.middle

    def _rest_middle(self, stack: Stack) -> float:
        """The middle of all but the first segment."""
        first = self.scale(stack.segments[0])
        return self._top(stack) + first + (self.scale.height(stack) - first) / 2

    def _paint(self, role: Role, dark: bool) -> Paint:
        kinds = self.palette.kinds
        if role == "bypass":
            return Paint(kinds["slice"].fill, self.palette.bypass)
        if role == "made":
            return _made(self.palette, dark)
        return {"base": kinds["light"], "part": kinds["layer"], "out": kinds["sum"]}[role]

    def _bar(self, stack: Stack, left: float) -> Iterator[str]:
        y, dark = self._top(stack), False
        for segment in stack.segments:
            high, paint = self.scale(segment), self._paint(segment.role, dark)
            dark = segment.role == "made" and not dark  # neighbours can be told apart
            yield (
                f'<rect x="{left:.1f}" y="{y:.1f}" width="{_BAR}" height="{high:.1f}" fill="{paint.fill}" '
                f'stroke="{paint.line}"><title>{escape(segment.label)}: {segment.channels} channels</title></rect>'
            )
            if high >= 15:
                ink, label = self.palette.text_on(paint.fill)[0], segment.label if len(segment.label) < 5 else "⋮"
                yield _text(left + _BAR / 2, y + high / 2 + 4, label, 10.5, ink, anchor="middle")
            y += high
        yield _text(left + _BAR / 2, y + 15, str(stack.channels), 11, self.palette.faint, anchor="middle")

    def _box(self, layer: Layer, left: float, right: float, middle: float) -> Iterator[str]:
        paint = self.palette.kinds["pool" if layer.transition else "block"]
        ink, faint = self.palette.text_on(paint.fill)
        top = middle - _BOX / 2
        yield (
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{_BOX}" rx="8" fill="{paint.fill}" '
            f'stroke="{paint.line}"/>'
        )
        yield _text((left + right) / 2, middle - 3, layer.title, 12, ink, anchor="middle", weight="bold")
        yield _text((left + right) / 2, middle + 13, layer.detail, 10.5, faint, anchor="middle")
        if layer.residual:
            line, y, x0, x1 = self.palette.arrow, top - 12, left - _SPACE / 2, right + _SPACE / 2
            yield (
                f'<path d="M{x0:.1f} {middle:.1f}V{y + 8:.1f}Q{x0:.1f} {y:.1f} {x0 + 8:.1f} {y:.1f}H{x1 - 8:.1f}'
                f'Q{x1:.1f} {y:.1f} {x1:.1f} {y + 8:.1f}V{middle - 8:.1f}" fill="none" stroke="{line}" '
                f'stroke-width="1.4"/><circle cx="{x1:.1f}" cy="{middle:.1f}" r="7" fill="{self.palette.paper}" '
                f'stroke="{line}"/><path d="M{x1 - 4:.1f} {middle:.1f}h8M{x1:.1f} {middle - 4:.1f}v8" stroke="{line}"/>'
            )

    def _way_round(self, detour: Detour) -> Iterator[str]:
        start, stop = self.panel.items[detour.start], self.panel.items[detour.stop]
        assert isinstance(start, Stack)
        assert isinstance(stop, Stack)
        x0, x1 = self.places[detour.start][1], self.places[detour.stop][0]
        own = len(start.segments) > 1
        y0 = self._part_middle(start, "bypass") if own else self._top(start) + 5
        y1 = self._top(stop) + self.scale(stop.segments[0]) / 2
        lane = 40 + _BOX / 2
        out, back = x0 + 12, x1 - 14
        path = (
            f"M{x0:.1f} {y0:.1f}H{out - 6:.1f}Q{out:.1f} {y0:.1f} {out:.1f} {y0 - 6:.1f}V{lane + 8:.1f}"
            f"Q{out:.1f} {lane:.1f} {out + 8:.1f} {lane:.1f}H{back - 8:.1f}"
            f"Q{back:.1f} {lane:.1f} {back:.1f} {lane + 8:.1f}"
            f"V{y1 - 6:.1f}Q{back:.1f} {y1:.1f} {back + 6:.1f} {y1:.1f}H{x1 - 2:.1f}"
        )
        yield (
            f'<path d="{path}" fill="none" stroke="{self.palette.bypass}" stroke-width="2.6" '
            'marker-end="url(#bypass)"/>'
        )
        middle = (x0 + x1) / 2
        yield _text(
            middle, lane - 8, f"part 1: {detour.channels} channels pass by", 11, self.palette.bypass, anchor="middle"
        )
        for layer in detour.layers:
            wide = _wide(layer)
            yield from self._box(layer, out + 24, out + 24 + wide, lane)


def _made(palette: Palette, dark: bool) -> Paint:
    """What layers add to a map: two steps of one hue, in turns."""
    return Paint(palette.amount(0.6 if dark else 0.25).fill, palette.kinds["block"].line)


def _wide(item: Stack | Layer | Gap) -> float:
    if isinstance(item, Stack):
        return _BAR
    if isinstance(item, Gap):
        return max(12.0, 6.2 * len(item.text))
    return 22 + max(_WIDTHS["bold"] * len(item.title), _WIDTHS["plain"] * len(item.detail))


def _legend(schematic: Schematic, palette: Palette, y: float) -> Iterator[str]:
    roles = {segment.role for panel in schematic.panels for item in panel.items if isinstance(item, Stack)
             for segment in item.segments}  # fmt: skip
    words = (
        ("base", "stage input", palette.kinds["light"]),
        ("bypass", "part 1, passes by", Paint(palette.kinds["slice"].fill, palette.bypass)),
        ("part", "part 2", palette.kinds["layer"]),
        ("made", "made by the layers", _made(palette, dark=False)),
        ("out", "stage output", palette.kinds["sum"]),
    )
    x = float(_MARGIN)
    for role, text, paint in words:
        if role in roles:
            place = f'x="{x:.1f}" y="{y - 11:.1f}" width="16" height="12"'
            yield f'<rect {place} fill="{paint.fill}" stroke="{paint.line}"/>'
            if role == "made":
                half, other = place.replace('width="16"', 'width="8"'), _made(palette, dark=True)
                yield f'<rect {half} fill="{other.fill}" stroke="{other.line}"/>'
            yield _text(x + 22, y - 1, text, 11, palette.faint)
            x += 48 + 5.8 * len(text)
    yield _text(x, y - 1, "bar height = channels", 11, palette.faint)


def _text(
    x: float, y: float, text: str, size: float, colour: str, *, anchor: str = "start", weight: str = "", style: str = ""
) -> str:
    extra = f' font-weight="{weight}"' if weight else ""
    extra += f' font-style="{style}"' if style else ""
    extra += f' text-anchor="{anchor}"' if anchor != "start" else ""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    marked = _INDEX.sub(r'<tspan baseline-shift="sub" font-size="75%">\1</tspan>', escape(plain))
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{extra}>{marked}</text>'
