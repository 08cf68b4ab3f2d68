"""Curves: figures of a network against gamma, or against the capacity of a cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.plots.look import cue, plain, titled
from cspanalyze.results import Number

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Series:
    """A figure as a line: `y` belongs to `x`, None where it is unknown.

    `whole`, where it is given, is what the figures are shares of: the network that has not been changed.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[Number, ...]
    whole: Number = None


def curves(
    found: Sequence[Series], title: str, *, x_title: str, y_title: str, x_scale: Literal["linear", "bytes"] = "linear"
) -> go.Figure:
    """One line for each curve; figures with a `whole` are drawn as the change from it in percent."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    relative = all(curve.whole for curve in found)
    for index, curve in enumerate(found):
        look = cue(index)
        shares = [
            None if y is None else 100 * (y / curve.whole - 1) if relative and curve.whole else y for y in curve.y
        ]
        places = [size(x) if x_scale == "bytes" else f"{x:g}" for x in curve.x]
        texts = [
            f"{plain(curve.name)} at {place}<br>{figure(y)}{f', {share:+.1f} %' if relative else ''}"
            for place, y, share in zip(places, curve.y, shares, strict=True)
        ]
        drawn.add_scatter(
            x=curve.x, y=shares, mode="lines+markers", name=plain(curve.name), hovertext=texts, hoverinfo="text",
            line={"color": look.colour, "dash": look.dash, "width": 2.5}, marker={"symbol": look.marker, "size": 8},
        )  # fmt: skip
    axis = (
        {"title": {"text": y_title}, "ticksuffix": " %"}
        if relative
        else {"title": {"text": y_title}, "tickformat": "~s"}
    )
    x_axis: dict[str, object] = {"title": {"text": x_title}}
    if x_scale == "bytes":
        powers = sorted({x for curve in found for x in curve.x if math.log2(x).is_integer()})[::2]  # more would not fit
        x_axis |= {"type": "log", "tickvals": powers, "ticktext": [size(x) for x in powers]}
    drawn.update_layout(xaxis=x_axis, yaxis=axis, showlegend=len(found) > 1)
    if relative:
        drawn.add_hline(y=0, line={"width": 1, "color": "rgba(128,128,128,0.9)"})
    return titled(drawn, title)


def size(nbytes: float) -> str:
    """A capacity in binary units: `512 KiB`."""
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if nbytes >= scale:
            return f"{nbytes / scale:g} {unit}"
    return f"{nbytes:g} B"
