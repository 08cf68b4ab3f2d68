"""Cost against depth: what every layer costs, in the order in which they run, and how it adds up."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from cspanalyze.errors import UsageError
from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.plots.look import cue, plain, titled
from cspanalyze.renderers.plots.series import axis_title, metric_of, name_of, names_of, result_of, title_of
from cspanalyze.renderers.tabulation import figure_of, label, reports
from cspanalyze.results import Record

if TYPE_CHECKING:
    import plotly.graph_objects as go


def depth(record: Record, metric: str = "") -> go.Figure:
    """Above the cost of every layer that has any, below the sum up to it.

    Networks of different depth stand over one axis, the place of a layer among those with a cost.

    Raises:
        UsageError: the metric is no sum (a peak, a median), so that nothing adds up.
    """
    from plotly.subplots import make_subplots

    metric = metric_of(record, metric)
    base = result_of(reports(record)[0], metric)
    if not base.additive:
        raise UsageError(f"{title_of(metric)} of layers do not add up to that of the network: choose another metric")
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.6, 0.4])
    for index, report in enumerate(reports(record)):
        result, look = result_of(report, metric), cue(index)
        costs = [(group, value) for group in report.groups if (value := figure_of(result, group))]
        places = list(range(1, len(costs) + 1))
        sums = list(accumulate(value for _, value in costs))
        line = {"color": look.colour, "dash": look.dash}
        texts = [
            f"{place}. {plain(label(group))}<br>{figure(value)}"
            for place, (group, value) in zip(places, costs, strict=True)
        ]
        drawn.add_scatter(
            x=places,
            y=[value for _, value in costs],
            row=1,
            col=1,
            mode="markers",
            name=plain(name_of(report)),
            marker={"color": look.colour, "symbol": look.marker, "size": 7, "opacity": 0.85},
            hovertext=texts,
            hoverinfo="text",
            legendgroup=index,
            cliponaxis=False,
        )
        sums_text = [
            f"up to {plain(label(group))}<br>{figure(total)}" for (group, _), total in zip(costs, sums, strict=True)
        ]
        drawn.add_scatter(
            x=places,
            y=sums,
            row=2,
            col=1,
            mode="lines",
            line={**line, "width": 2.5},
            hovertext=sums_text,
            hoverinfo="text",
            showlegend=False,
            legendgroup=index,
        )
    drawn.update_yaxes(tickformat="~s", rangemode="tozero")
    drawn.update_yaxes(title_text=axis_title(base), row=1, col=1)
    drawn.update_yaxes(title_text="sum so far", row=2, col=1)
    drawn.update_xaxes(title_text=f"layers with {title_of(metric)}, in order", row=2, col=1)
    drawn.update_layout(showlegend=len(reports(record)) > 1)
    return titled(drawn, f"{title_of(metric)} against depth, {names_of(record)}", height=520)
