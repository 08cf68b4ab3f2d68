"""On which side of a frame its label stands: where no arrow, or the fewest, run through it.

Graphviz places labels of frames without a look at the arrows. So it lays out the picture once, and is then told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from cspanalyze.diagrams.record import Diagram
from cspanalyze.renderers.pictures import graphviz
from cspanalyze.renderers.pictures.dot import Look, frame_ids, render_dot

Point = tuple[float, float]
_STEPS = 8  # points looked at on each piece of a curve
_SHARE = 0.43  # of the label's width is text, the rest is spare


def uncrossed(diagram: Diagram, look: Look) -> frozenset[str]:
    """The frames whose label should stand to the right."""
    layout = json.loads(graphviz.draw(lambda quick: render_dot(diagram, replace(look, quick=quick)), "json"))
    points = [point for edge in layout.get("edges", ()) for point in _points(edge["pos"])]
    frames = frame_ids(diagram)
    right = set()
    for cluster in layout.get("objects", ()):
        if cluster.get("name") in frames and "lp" in cluster:
            y = float(cluster["lp"].split(",")[1])
            width, height = 72 * float(cluster["lwidth"]), 72 * float(cluster["lheight"])
            left, _, end, _ = map(float, cluster["bb"].split(","))
            text = _SHARE * width
            inside = [px for px, py in points if abs(py - y) <= height / 2]
            from_left = sum(left <= px <= left + text + 10 for px in inside)
            from_right = sum(end - text - 10 <= px <= end for px in inside)
            if from_right < from_left:
                right.add(frames[cluster["name"]])
    return frozenset(right)


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
