"""What is written on a DOT picture: on nodes, on frames, and above all of it with the legend."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cspanalyze.diagrams.record import Diagram, Frame, Node, State
from cspanalyze.renderers.pictures.look import LABEL_SPARE, Look
from cspanalyze.renderers.pictures.palette import FAMILY, FAMILY_WORDS, PALETTES, STATE_WORDS
from cspanalyze.renderers.pictures.tags import font, row, shortened, spelled, table
from cspanalyze.renderers.pictures.wording import (
    IN_BYTES,
    METRIC_WORDS,
    badge,
    cost_line,
    exactly,
    in_bytes,
    scale,
    short,
    summary,
    whole_of,
)

_LEGEND_SIGNS = 100
_BESIDE_TITLE = 26
_NAMELESS = ("concat", "add", "multiply", "slice")  # the container's name would say nothing
_TAG = re.compile("<[^>]*>")


class Captions:
    """The labels of one diagram."""

    def __init__(self, diagram: Diagram, look: Look) -> None:
        self.diagram, self.look, self.palette = diagram, look, PALETTES[look.theme]
        self.scale = scale(diagram, look.colour_by) if look.colour_by else None

    def node(self, node: Node, ink: str, faint: str) -> str:
        """Title, details, name, shapes and costs."""
        if node.kind in ("input", "output"):
            return font(f"<B>{spelled(node.title)}</B>  {spelled(' '.join(node.shapes))}", 10, ink)
        sign = {"added": "+ ", "removed": "− ", "changed": "Δ "}.get(node.state, "")
        head = f"<B>{spelled(sign + node.title)}</B>"
        if badge(node):
            head += f"  <B>{font(badge(node), 13, ink)}</B>"
        rows = [font(head, 11.5, ink)]
        details = " · ".join(node.details)
        if details and len(details) < _BESIDE_TITLE:
            rows[0] += font(spelled(f"  {details}"), 9.5, ink)
        elif details:
            rows.append(font(spelled(details), 9.5, ink))
        name = self._name(node)
        if name and name != node.title and node.kind not in _NAMELESS and self.diagram.level != "op":
            rows.append(font(spelled(shortened(name)), 9, faint))
        if node.shapes:
            rows.append(font(spelled(" → ".join(dict.fromkeys(node.shapes))), 9.5, ink))
        costs = self._costs(node)
        if costs:
            said = f"<B>{spelled(' · '.join(costs))}</B>" if self.scale else spelled("  ·  ".join(costs))
            rows.append(font(said, 9.5, ink))
        return table(map(row, rows))

    def frame(self, frame: Frame) -> str:
        """Title, name and costs, with free room beside them."""
        ink, faint = self.palette.ink, self.palette.faint
        head = font(f"<B>{spelled(frame.title)}</B>", 12.5, ink)
        if badge(frame):
            head += f"  <B>{font(badge(frame), 15, self.palette.kinds['block'].line)}</B>"
        rows, widest = [head], 1.5 * len(frame.title)
        name = self._name(frame)
        costs = "  ·  ".join(self._costs(frame))
        for text in ("" if name == frame.title else shortened(name, 30), *frame.details, costs):
            if text:
                rows.append(font(spelled(text), 9, faint))
                widest = max(widest, len(text))
        # Arrows come in through the top of the frame: room for the label on both sides of them.
        place = self.look.label(frame.id)
        wide = 5 * widest + LABEL_SPARE + place.free
        spare = ""
        if self.look.direction == "vertical":
            spare = f'<TD ROWSPAN="{len(rows)}" WIDTH="{wide:.0f}"></TD>'
        beside = {"before": spare} if place.right else {"beside": spare}
        return table(row(text, **({} if n else beside)) for n, text in enumerate(rows))

    def heading(self, *notes: str) -> str:
        """Title, totals, notes and legend."""
        ink, faint = self.palette.ink, self.palette.faint
        lines = filter(None, (summary(self.diagram), *self.diagram.notes, *notes))
        rows = [font(f"<B>{spelled(self.diagram.title)}</B>", 18, ink)]
        rows += [font(spelled(line), 10.5, faint) for line in lines]
        return table([*map(row, rows), *map(row, self._legend()), "<TR><TD> </TD></TR>"], padding=2)

    def _costs(self, part: Node | Frame) -> tuple[str, ...]:
        by = self.look.colour_by
        return cost_line(part.figures, by, whole_of(self.diagram, part, by) if by else None)

    def _name(self, part: Node | Frame) -> str:
        """Its name without that of the frame around, where that is drawn."""
        if self.look.quick:
            return part.name
        for frame in self.diagram.frames:
            if frame.id == part.frame:
                for around in (frame.name, frame.id):
                    inner = part.name.removeprefix(f"{around}.")
                    if inner != part.name and not inner[0].isdigit():
                        return inner
        return part.name

    def _legend(self) -> Iterator[str]:
        """The lines of the legend, as many items on each as fit."""
        most = _LEGEND_SIGNS if self.look.direction == "vertical" else 3 * _LEGEND_SIGNS
        line, length = "", 0
        for item in self._legend_items():
            signs = len(_TAG.sub("", item)) + 4
            if line and length + signs > most:
                yield line
                line, length = "", 0
            line, length = f"{line}    {item}" if line else item, length + signs
        if line:
            yield line

    def _legend_items(self) -> Iterator[str]:
        yield from self._swatches()
        reuse = self.scale is not None and self.scale.metric == "gradients"
        if any(edge.bypass for edge in self.diagram.edges):
            line = "╍╍" if reuse else "━━"
            yield f"{font(f'<B>{line}</B>', 10, self.palette.bypass)}{self._said('bypass')}"
        if reuse:
            note = "weight updates that the same gradient enters, mean over channels"
            yield f"{font('<B>×M</B>', 10, self.palette.heat(0.7))}{self._said(note)}"
        if any(part.highlighted for part in self.diagram.parts):
            yield f"{font('□', 11, self.palette.highlight)}{self._said('highlighted')}"

    def _swatches(self) -> Iterator[str]:
        states: list[State] = [s for s in STATE_WORDS if any(node.state == s for node in self.diagram.nodes)]
        if states:
            yield from (self._swatch(self.palette.states[state].line, STATE_WORDS[state]) for state in states)
            return
        if self.scale is not None:
            bar = "".join(font("█", 9, self.palette.amount(n / 8).fill) for n in range(9))
            low, high = self.scale.low, self.scale.high
            in_words = in_bytes if self.scale.metric in IN_BYTES else short
            end = f"{high:.1f}" if self.scale.metric == "gradients" else in_words(round(high))
            yield f"{self._said(f'{METRIC_WORDS[self.scale.metric]}  {low:.0f}')}{bar}{self._said(end)}"
            return
        families = {FAMILY.get(node.kind, "other") for node in self.diagram.nodes}
        said: dict[str, list[str]] = {}  # families of one colour share an entry
        for family, words in FAMILY_WORDS.items():
            if family in families and family != "end":
                said.setdefault(self.palette.kinds[family].line, []).append(words)
        yield from (self._swatch(line, ", ".join(words)) for line, words in said.items())

    def _swatch(self, colour: str, words: str) -> str:
        return f"{font('■', 11, colour)}{self._said(words)}"

    def _said(self, words: str) -> str:
        return font(f" {spelled(words)} ", 9.5, self.palette.faint)


def tip(part: Node | Frame) -> str:
    """What is shown on hovering: the name and every figure in full, a line each."""
    lines = [part.name or part.title, *(exactly(f) for f in part.figures if f.value is not None)]
    return "&#10;".join(spelled(line) for line in lines)
