"""Points: many networks by two of their figures with the Pareto front, and layers under a roofline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.plots.look import cue, plain, titled

if TYPE_CHECKING:
    import plotly.graph_objects as go

_NAMED = 14
"""A front of more networks than this is told on hovering only: names would lie over each other."""


@dataclass(frozen=True, slots=True)
class Point:
    """One network or layer and two figures of it; `series` says to which of several it belongs."""

    name: str
    x: int | float
    y: int | float
    series: str = ""


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats: none has less of one figure and not more of the other. By x, then y."""
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, each.y)):
        if not best or point.y < best[-1].y or (point.x, point.y) == (best[-1].x, best[-1].y):
            best.append(point)
    return best


def _scaled(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis: with every digit named inside of half a decade, otherwise 1, 2 and 5."""
    narrow = max(values) < 10**0.5 * min(values)
    return {"type": "log", "tickformat": "~s", "minor": {"ticks": ""}, "dtick": "D1" if narrow else "D2"}


def pareto(points: Sequence[Point], x_title: str, y_title: str, title: str = "") -> go.Figure:
    """Every network as a point, and a stair through those of which no other has less of both figures."""
    import plotly.graph_objects as go

    best = front(points)
    look, behind = cue(5), cue(0)
    others = [point for point in points if point not in best]
    drawn = go.Figure()
    for name, those, marker in (
        ("others", others, {"color": behind.colour, "symbol": "circle-open", "size": 7}),
        ("Pareto front", best, {"color": look.colour, "symbol": "diamond", "size": 10}),
    ):
        chosen = those is best
        drawn.add_scatter(
            x=[point.x for point in those],
            y=[point.y for point in those],
            name=name,
            marker=marker,
            mode="lines+markers+text" if chosen else "markers",
            line={"shape": "hv", "color": look.colour, "width": 1.5},
            text=[plain(point.name) for point in those] if chosen and len(best) <= _NAMED else None,
            textposition="top right",
            hovertext=[f"{plain(p.name)}<br>{figure(p.x)}<br>{figure(p.y)}" for p in those],
            hoverinfo="text",
        )
    drawn.update_layout(
        xaxis={"title": {"text": x_title}, **_scaled([point.x for point in points])},
        yaxis={"title": {"text": y_title}, **_scaled([point.y for point in points])},
    )
    return titled(drawn, title or f"{y_title} against {x_title}", height=560)


def roofline(points: Sequence[Point], peak: float, bandwidth: float, title: str = "Roofline") -> go.Figure:
    """Layers by arithmetic intensity, on the roof that a machine puts over them.

    Args:
        points: x is the intensity in FLOP per byte, y the FLOPs of the layer: the marker's area.
        peak: FLOP a second that the machine computes at most.
        bandwidth: bytes a second that its memory delivers at most.
        title: what stands above.

    A layer stands at min(peak, intensity x bandwidth), the speed it can reach; left of the ridge memory bounds it.
    """
    import plotly.graph_objects as go

    drawn = go.Figure()
    known = [point for point in points if point.x > 0 and point.y > 0]
    low = min([point.x for point in known] + [peak / bandwidth]) / 2
    high = max([point.x for point in known] + [peak / bandwidth]) * 2
    ridge = peak / bandwidth
    drawn.add_scatter(
        x=[low, ridge, high],
        y=[low * bandwidth, peak, peak],
        mode="lines",
        name="roof",
        hoverinfo="skip",
        line={"color": "rgba(128,128,128,0.9)", "width": 2},
    )
    most = max((point.y for point in known), default=1.0)
    for index, series in enumerate(dict.fromkeys(point.series for point in known)):
        look, own = cue(index), [point for point in known if point.series == series]
        reached = [min(peak, point.x * bandwidth) for point in own]
        drawn.add_scatter(
            x=[point.x for point in own],
            y=reached,
            mode="markers",
            name=plain(series) or "layers",
            hoverinfo="text",
            marker={
                "color": look.colour,
                "symbol": look.marker,
                "opacity": 0.6,
                "sizemode": "area",
                "sizemin": 3,
                "size": [point.y for point in own],
                "sizeref": most / 250,
                "line": {"width": 1, "color": "white"},
            },
            hovertext=[
                f"{plain(point.name)}<br>{point.x:.1f} FLOP/byte, {figure(round(point.y))}FLOP<br>bound by "
                f"{'memory' if point.x < ridge else 'compute'}"
                for point in own
            ],
        )
    drawn.update_layout(
        xaxis={
            "title": {"text": "arithmetic intensity [FLOP/byte]; area of a marker: FLOPs of the layer"},
            "type": "log",
            "dtick": 1,
        },
        yaxis={"title": {"text": "attainable [FLOP/s]"}, "type": "log", "tickformat": "~s", "dtick": 1},
    )
    return titled(drawn, title)
