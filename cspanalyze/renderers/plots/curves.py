"""Curves: figures of a network against gamma, or against the capacity of a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.plots.look import cue, plain, titled
from cspanalyze.results import Number

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure against another one: `y` belongs to `x`, None where it is unknown.

    `whole`, where it is given, is what the figures are shares of: the network that has not been changed.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[Number, ...]
    whole: Number = None


def curves(
    found: Sequence[Curve], title: str, *, x_title: str, y_title: str, x_scale: Literal["linear", "log"] = "linear"
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
        texts = [
            f"{plain(curve.name)} at {x:g}<br>{figure(y)}{f', {share:+.1f} %' if relative else ''}"
            for x, y, share in zip(curve.x, curve.y, shares, strict=True)
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
    drawn.update_layout(xaxis={"title": {"text": x_title}, "type": x_scale}, yaxis=axis, showlegend=len(found) > 1)
    if relative:
        drawn.add_hline(y=0, line={"width": 1, "color": "rgba(128,128,128,0.9)"})
    return titled(drawn, title)
