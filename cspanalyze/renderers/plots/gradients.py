"""Gradient structure: which layers share their gradient sources, when gradients arrive, and how often one is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from cspanalyze.gradient_flow import GradientRecord, source_overlap, timestamp_raster
from cspanalyze.renderers.plots.look import SCALE, cue, plain, titled

if TYPE_CHECKING:
    import plotly.graph_objects as go

Matrix: TypeAlias = "Sequence[Sequence[float | None]]"


def overlap(records: Sequence[GradientRecord], title: str = "Shared gradient sources") -> go.Figure:
    """Heat map, layer against layer: 1 where two get their gradient from the same layers, 0 where from none in common.

    The figure is the Jaccard index of the sets of sources. Blocks of high values are what a partial stage cuts apart.
    """

    drawn = _maps(records, source_overlap, "overlap", most=1.0)
    for index, record in enumerate(records):
        names, axis = _names(record), str(index + 1) if index else ""
        drawn.data[index].update(x=names, y=names, hovertemplate="%{y}<br>%{x}<br>overlap %{z:.2f}<extra></extra>")
        drawn.update_layout(
            {
                f"xaxis{axis}": {
                    "title": {"text": f"layers of {plain(record.network)}"},
                    "constrain": "domain",
                    "showticklabels": False,
                },
                f"yaxis{axis}": {"scaleanchor": f"x{axis}", "constrain": "domain"},
            }
        )
    # Squares: the more stand side by side, the lower they are.
    return titled(drawn, title, height=560 if len(records) < 3 else 430)


def raster(records: Sequence[GradientRecord], title: str = "Gradient timestamps") -> go.Figure:
    """For every layer the lengths of the ways that gradient takes to it from the loss; colour: how many, as log10."""

    drawn = _maps(records, timestamp_raster, "log10 of paths")
    for index, record in enumerate(records):
        axis = str(index + 1) if index else ""
        drawn.data[index].update(
            y=_names(record), hovertemplate="%{y}<br>%{x} layers from the loss<br>10^%{z:.1f} paths<extra></extra>"
        )
        drawn.update_layout({f"xaxis{axis}": {"title": {"text": f"layers from the loss, {plain(record.network)}"}}})
    return titled(drawn, title, height=560)


def readers(records: Sequence[GradientRecord], title: str = "Gradient reuse") -> go.Figure:
    """For every layer, in order, in how many weight updates the gradient of one of its channels appears, on average."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    for index, record in enumerate(records):
        look, layers = cue(index), [layer for layer in record.layers if layer.trainable]
        drawn.add_scatter(
            x=list(range(1, len(layers) + 1)),
            y=[layer.mean_readers for layer in layers],
            mode="markers",
            name=plain(record.network),
            marker={"symbol": look.marker, "size": 7, "color": look.colour, "opacity": 0.85},
            hovertext=[f"{plain(layer.name)}<br>{layer.mean_readers:.2f} layers" for layer in layers],
            hoverinfo="text",
        )
    drawn.update_layout(
        xaxis_title_text="layers, in order",
        yaxis={"title": {"text": "weight updates that read a channel"}, "rangemode": "tozero"},
        showlegend=len(records) > 1,
    )
    return titled(drawn, title)


def _maps(
    records: Sequence[GradientRecord],
    matrix: Callable[[GradientRecord], Matrix],
    colour: str,
    most: float | None = None,
) -> go.Figure:
    """One heat map for each network, side by side with one colour scale; the first layer is at the top."""
    from plotly.subplots import make_subplots

    drawn = make_subplots(rows=1, cols=len(records), horizontal_spacing=0.08)
    found = [[[_short(value) for value in row] for row in matrix(record)] for record in records]
    most = most or max((value for rows in found for row in rows for value in row if value is not None), default=1.0)
    for index, rows in enumerate(found):
        drawn.add_heatmap(
            z=rows,
            coloraxis="coloraxis",
            row=1,
            col=index + 1,
        )
    drawn.update_yaxes(autorange="reversed", showticklabels=False, showgrid=False)
    drawn.update_yaxes(title_text="layers, first at the top", col=1)
    drawn.update_xaxes(showgrid=False)
    drawn.update_layout(
        coloraxis={"colorscale": list(SCALE), "cmin": 0, "cmax": most, "colorbar": {"title": {"text": colour}}}
    )
    return drawn


def _names(record: GradientRecord) -> list[str]:
    """The layers' names, made distinct by their place."""
    return [f"{place}. {plain(layer.name)}" for place, layer in enumerate(record.layers, 1)]


def _short(value: float | None) -> float | None:
    """More digits than a colour shows only make the page longer."""
    return None if value is None else round(value, 3)
