"""Gradients: which layers share their gradient sources, when gradients arrive, and how often one is used."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, TypeAlias

from cspanalyze.gradient_flow import GradientRecord, LayerRecord, source_overlap, timestamp_raster
from cspanalyze.gradient_flow.measured import GradientMeasurement, MeasuredLayer
from cspanalyze.renderers.plots.look import SCALE, cue, plain, titled

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_STAGES, _ROOM = 24, 40
"""More stages than this are not marked, and one of fewer layers than one in forty has no room for its name."""
_RULE = {"color": "#7a8793", "width": 0.8}
Matrix: TypeAlias = "Sequence[Sequence[float | None]]"
Layers: TypeAlias = "Sequence[LayerRecord | MeasuredLayer]"


def overlap(records: Sequence[GradientRecord], title: str = "Shared gradient sources") -> go.Figure:
    """Heat map, layer against layer: 1 where two get their gradient from the same layers, 0 where from none in common.

    The figure is the Jaccard index of the sets of sources. Blocks of high values are what a partial stage cuts apart.
    """

    drawn = _maps([source_overlap(record) for record in records], "overlap", most=1.0)
    for index, record in enumerate(records):
        _against_each_other(drawn, index, record.layers, record.network, "overlap")
    return titled(drawn, title, height=_height(len(records)))


def similarity(record: GradientMeasurement) -> go.Figure:
    """Heat map of measured gradients, layer against layer: debiased linear CKA, the mean over draws; 0 or less for
    gradients with nothing in common, empty where a layer has none."""
    drawn = _maps([network.similarity for network in record.networks], "CKA", most=1.0)
    for index, network in enumerate(record.networks):
        name = record.model if network.variant == "base" else f"{record.model} {network.variant}"
        _against_each_other(drawn, index, network.layers, name, "CKA")
    return titled(drawn, "Similarity of the layers' gradients", height=_height(len(record.networks)))


def _height(maps: int) -> int:
    """Squares: the more stand side by side, the lower they are."""
    return 560 if maps < 3 else 430


def _against_each_other(drawn: go.Figure, index: int, layers: Layers, network: str, unit: str) -> None:
    """Names, stages and equal sides for a map of layers against layers."""
    names, axis = _names(layers), str(index + 1) if index else ""
    drawn.data[index].update(x=names, y=names, hovertemplate=f"%{{y}}<br>%{{x}}<br>{unit} %{{z:.2f}}<extra></extra>")
    drawn.update_layout(
        {
            f"xaxis{axis}": {
                "title": {"text": f"layers of {plain(network)}"},
                "constrain": "domain",
                "showticklabels": False,
            },
            f"yaxis{axis}": {"scaleanchor": f"x{axis}", "constrain": "domain"},
        }
    )
    _mark_stages(drawn, layers, index, both=True)


def raster(records: Sequence[GradientRecord], title: str = "Gradient timestamps") -> go.Figure:
    """For every layer the lengths of the ways that gradient takes to it from the loss; colour: how many, as log10."""

    drawn = _maps([timestamp_raster(record) for record in records], "log10 of paths")
    for index, record in enumerate(records):
        axis = str(index + 1) if index else ""
        drawn.data[index].update(
            y=_names(record.layers),
            hovertemplate="%{y}<br>%{x} layers from the loss<br>10^%{z:.1f} paths<extra></extra>",
        )
        drawn.update_layout({f"xaxis{axis}": {"title": {"text": f"layers from the loss, {plain(record.network)}"}}})
        _mark_stages(drawn, record.layers, index, both=False)
    return titled(drawn, title, height=560)


def readers(records: Sequence[GradientRecord], title: str = "Gradient reuse and gradient sources") -> go.Figure:
    """For every layer, in order: in how many weight updates the gradient of one of its channels appears, on average;
    and below how many layers send it gradient, the loss among them."""
    from plotly.subplots import make_subplots

    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for index, record in enumerate(records):
        look, layers = cue(index), record.layers
        marker = {"symbol": look.marker, "size": 6, "color": look.colour, "opacity": 0.85}
        panels: list[tuple[Sequence[float], str]] = [
            ([layer.mean_readers for layer in layers], "updates"),
            ([len(layer.sources) + layer.from_loss for layer in layers], "sources"),
        ]
        for row, (values, unit) in enumerate(panels, 1):
            said = [f"{plain(layer.name)}<br>{value:.3g} {unit}" for layer, value in zip(layers, values, strict=True)]
            drawn.add_scatter(
                x=list(range(1, len(layers) + 1)),
                y=values,
                mode="markers",
                name=plain(record.network),
                legendgroup=str(index),
                showlegend=row == 1 and len(records) > 1,
                marker=marker,
                cliponaxis=False,
                hovertext=said,
                hoverinfo="text",
                row=row,
                col=1,
            )
    drawn.update_yaxes(rangemode="tozero")
    drawn.update_yaxes(title_text="weight updates<br>that read a channel", row=1)
    drawn.update_yaxes(title_text="gradient sources", row=2)
    drawn.update_xaxes(title_text="layers, in order", row=2)
    return titled(drawn, title, height=560)


def _maps(matrices: Sequence[Matrix], colour: str, most: float | None = None) -> go.Figure:
    """One heat map for each network, side by side with one colour scale; the first layer is at the top."""
    from plotly.subplots import make_subplots

    drawn = make_subplots(rows=1, cols=len(matrices), horizontal_spacing=0.08)
    found = [[[_short(value) for value in row] for row in matrix] for matrix in matrices]
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


def _mark_stages(drawn: go.Figure, layers: Layers, index: int, *, both: bool) -> None:
    """Name the stages at the side of a map, and draw a line where one ends, across and with `both` down as well."""
    runs = [(name, len(list(own))) for name, own in groupby(layers, key=lambda layer: layer.group)]
    if not 1 < len(runs) <= _MOST_STAGES:
        return
    ends = list(accumulate(count for _, count in runs))
    wide = [(end - (count + 1) / 2, name) for (name, count), end in zip(runs, ends, strict=True)
            if count * _ROOM >= len(layers)]  # fmt: skip
    side = {"tickmode": "array", "tickvals": [place for place, _ in wide], "showticklabels": True}
    drawn.update_yaxes(**side, ticktext=[plain(name) for _, name in wide], row=1, col=index + 1)
    for end in ends[:-1]:
        drawn.add_hline(end - 0.5, line=_RULE, row=1, col=index + 1)
        if both:
            drawn.add_vline(end - 0.5, line=_RULE, row=1, col=index + 1)


def _names(layers: Layers) -> list[str]:
    """The layers' names, made distinct by their place."""
    return [f"{place}. {plain(layer.name)}" for place, layer in enumerate(layers, 1)]


def _short(value: float | None) -> float | None:
    """More digits than a colour shows only make the page longer."""
    return None if value is None else round(value, 3)
