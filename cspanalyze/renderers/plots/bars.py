"""Bars of one metric: by stage, module, layer or operator, a network beside its variants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cspanalyze.renderers.figures import change, figure
from cspanalyze.renderers.plots.look import cue, plain, titled
from cspanalyze.renderers.plots.series import axis_title, metric_of, name_of, names_of, result_of, title_of
from cspanalyze.renderers.tabulation import figure_of, groups_of, label, reports
from cspanalyze.results import Number, Record

if TYPE_CHECKING:
    import plotly.graph_objects as go

_UPRIGHT = 12
"""More groups than this lie on their side, so that their names can be read."""


def bars(record: Record, metric: str = "") -> go.Figure:
    """A group of bars for each stage or module, a bar for each network; with many groups they lie on their side."""
    import plotly.graph_objects as go

    metric = metric_of(record, metric)
    groups = groups_of(record)
    lying = len(groups) > _UPRIGHT
    drawn = go.Figure()
    base = reports(record)[0]
    for index, report in enumerate(reports(record)):
        result, look = result_of(report, metric), cue(index)
        values = [figure_of(result, group) if group in report.groups else None for group in groups]
        before = [figure_of(result_of(base, metric), group) for group in groups]
        texts = [
            f"{plain(label(group))}<br>{figure(value)}{f' ({change(old, value)})' if index else ''}"
            for group, value, old in zip(groups, values, before, strict=True)
        ]
        names = [plain(label(group)) for group in groups]
        places = {"y": names, "x": values, "orientation": "h"} if lying else {"x": names, "y": values}
        pattern = {"shape": look.pattern, "fillmode": "overlay", "fgcolor": "white", "size": 7, "solidity": 0.25}
        drawn.add_bar(
            **places,
            name=plain(name_of(report)),
            marker={"color": look.colour, "pattern": pattern},
            hovertext=texts,
            hoverinfo="text",
            text=None if lying or not index else [_change(old, new) for old, new in zip(before, values, strict=True)],
            textposition="outside",
            constraintext="none",
            textfont={"size": 10},
            cliponaxis=False,
        )
    value_axis, name_axis = ("xaxis", "yaxis") if lying else ("yaxis", "xaxis")
    drawn.update_layout(
        {
            value_axis: {
                "title": {"text": axis_title(result_of(base, metric))},
                "tickformat": "~s",
                "rangemode": "tozero",
            },
            name_axis: {"type": "category", "showgrid": False, "autorange": "reversed" if lying else True},
            "showlegend": len(drawn.data) > 1,
            "barmode": "group",
        }
    )
    height = max(420, 120 + len(groups) * (10 + 9 * len(drawn.data))) if lying else 420
    return titled(drawn, f"{title_of(metric)} of {names_of(record)}", height=height)


def _change(before: Number, after: Number) -> str:
    """The change over a bar, in whole percent where that says enough: a longer text would lie over the next bar."""
    if before == after or before is None or after is None:
        return ""
    whole = round(100 * (after / before - 1)) if before else 0
    return f"{whole:+d} %" if abs(whole) >= 10 else change(before, after)
