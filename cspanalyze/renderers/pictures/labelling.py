"""Where the labels of frames stand, so that no arrow, or as few as possible, run through them.

Graphviz places labels of frames without a look at the arrows. So it lays out the picture, is told, and does it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cspanalyze.diagrams.record import Diagram
from cspanalyze.renderers.pictures import graphviz
from cspanalyze.renderers.pictures.dot import frame_ids, render_dot
from cspanalyze.renderers.pictures.look import LABEL_SPARE, LabelPlace, Look

Point = tuple[float, float]
_STEPS = 12  # points looked at on each piece of a curve
_ROUNDS = 4  # of layout: another place for a label moves what is around it
_MARGIN, _CLEAR = 11.0, 8.0  # points between frame and label, label and arrow
_WIDEST = 260.0  # points by which a frame is made wider for its label at most


@dataclass(frozen=True, slots=True)
class _Label:
    """The label of a frame in a layout, and the places in its height where arrows cross the frame."""

    frame: str
    place: LabelPlace
    left: float
    right: float
    text: float
    crossings: tuple[float, ...]

    def hits(self, right: bool, clear: float = _CLEAR) -> list[float]:
        """Where arrows run through the label if it stands on that side, or come closer than `clear`."""
        reach = self.text + _MARGIN + clear
        if right:
            return [x for x in self.crossings if x >= self.right - reach]
        return [x for x in self.crossings if x <= self.left + reach]

    def better(self) -> LabelPlace:
        """Where it should stand: left, right, or right in a frame that is made wider until it is past the arrows."""
        if not self.hits(self.place.right):
            return self.place
        if not self.hits(not self.place.right):
            return replace(self.place, right=not self.place.right)
        overhang = max(self.hits(True)) - (self.right - self.text - _MARGIN - _CLEAR)
        # The frame grows once its label, with what is free beside it, is wider than what the frame holds: on both
        # sides, so by twice of what is missing on one.
        wide = self.right - self.left - 2 * _MARGIN + min(_WIDEST, 2 * overhang + 2)
        return LabelPlace(True, max(self.place.free, wide - 2 * self.text - LABEL_SPARE))


def uncrossed(diagram: Diagram, look: Look) -> Mapping[str, LabelPlace]:
    """The places of labels that are not to the left."""
    labels: dict[str, LabelPlace] = {}
    best, least = labels, None
    for _ in range(_ROUNDS):
        found = _labels(diagram, replace(look, labels=labels))
        crossed = sum(bool(label.hits(label.place.right, clear=1)) for label in found)
        if least is None or crossed < least:
            best, least = labels, crossed
        if not crossed:
            break
        labels = {label.frame: label.better() for label in found}
    return best


def _labels(diagram: Diagram, look: Look) -> Sequence[_Label]:
    """The labels of all frames in the layout with this look; none where Graphviz gave up frames."""
    layout = json.loads(graphviz.draw(lambda quick: render_dot(diagram, replace(look, quick=quick)), "json"))
    points = [point for edge in layout.get("edges", ()) for point in _points(edge["pos"])]
    frames = frame_ids(diagram)
    found = []
    for cluster in layout.get("objects", ()):
        if cluster.get("name") in frames and "lp" in cluster:
            frame = frames[cluster["name"]]
            y, height = float(cluster["lp"].split(",")[1]), 72 * float(cluster["lheight"])
            left, _, right, _ = map(float, cluster["bb"].split(","))
            inside = tuple(px for px, py in points if abs(py - y) <= height / 2 and left <= px <= right)
            place = look.label(frame)
            text = (72 * float(cluster["lwidth"]) - LABEL_SPARE - place.free) / 2
            found.append(_Label(frame, place, left, right, text, inside))
    return found


def _points(position: str) -> Iterator[Point]:
    """Points along an arrow, from Graphviz' notation: `e,x,y x,y ...`, the ends of cubic curves and their handles."""
    numbers = [part.split(",") for part in position.split()]
    knots = [(float(p[-2]), float(p[-1])) for p in numbers if p[0] not in ("e", "s")]
    for start in range(0, len(knots) - 3, 3):
        a, b, c, d = knots[start : start + 4]
        for step in range(_STEPS):
            t = step / _STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1))
            yield x, y
    yield from knots[-1:]
