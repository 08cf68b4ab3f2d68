"""Bars of one metric: by stage, module, layer or operator, a network beside its variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cspanalyze.renderers.figures import change, figure
from cspanalyze.renderers.plots.look import Cue, cue, plain, titled
from cspanalyze.renderers.plots.series import axis_title, metric_of, name_of, names_of, result_of, title_of
from cspanalyze.renderers.tabulation import figure_of, groups_of, label, reports
from cspanalyze.results import Number, Record, Result

if TYPE_CHECKING:
    import plotly.graph_objects as go

_UPRIGHT = 12
"""More groups than this lie on their side, so that their names can be read."""
_MOST = 40
"""Of more groups than this that lie, the largest are drawn: a picture has a page to fit on."""
_ROW = 11  # pixels of a bar that lies
_LONGEST = 30  # signs of a name beside a bar of a list


def bars(record: Record, metric: str = "") -> go.Figure:
    """A group of bars for each stage or module, a bar for each network; with many groups they lie on their side.

    Of those that lie, groups without a cost are left out, and the small ones of very many; where networks have few
    groups in common, each has its own list beside that of the other.
    """
    import plotly.graph_objects as go

    metric = metric_of(record, metric)
    groups = groups_of(record)
    found = reports(record)
    base = found[0]
    lying = len(groups) > _UPRIGHT
    if lying:
        shared = sum(all(group in report.groups for report in found) for group in groups)
        if len(found) > 1 and 2 * shared < len(groups):
            return _lists(record, metric)
        groups, left_out = _largest(groups, [result_of(report, metric) for report in found])
    drawn = go.Figure()
    for index, report in enumerate(found):
        result, look = result_of(report, metric), cue(index)
        values = [figure_of(result, group) if group in report.groups else None for group in groups]
        before = [figure_of(result_of(base, metric), group) for group in groups]
        texts = [
            f"{plain(label(group))}<br>{figure(value)}{f' ({change(old, value)})' if index else ''}"
            for group, value, old in zip(groups, values, before, strict=True)
        ]
        names = [plain(label(group)) for group in groups]
        places = {"y": names, "x": values, "orientation": "h"} if lying else {"x": names, "y": values}
        drawn.add_bar(
            **places,
            name=plain(name_of(report)),
            marker=_marker(look),
            hovertext=texts,
            hoverinfo="text",
            # With more than two networks the texts would lie over each other; hovering tells them.
            text=None
            if lying or not index or len(found) > 2
            else [_change(old, new) for old, new in zip(before, values, strict=True)],
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
    title = f"{title_of(metric)} of {names_of(record)}"
    if not lying:
        return titled(drawn, title)
    height = _height(len(groups), len(drawn.data))
    drawn.update_layout(legend_y=1 + 6 / height)
    return titled(drawn, title + _said(left_out), height=height)


def _lists(record: Record, metric: str) -> go.Figure:
    """The groups of every network in a list of its own, the lists side by side over axes of the same length."""
    from plotly.subplots import make_subplots

    found = reports(record)
    chosen = [_largest(report.groups, [result_of(report, metric)]) for report in found]
    drawn = make_subplots(
        rows=1, cols=len(found), shared_xaxes="all", horizontal_spacing=min(0.2, 0.6 / len(found)),
        subplot_titles=[plain(name_of(report)) for report in found],
    )  # fmt: skip
    for index, (report, (groups, _)) in enumerate(zip(found, chosen, strict=True)):
        values = [figure_of(result_of(report, metric), group) for group in groups]
        names = [plain(label(group)) for group in groups]
        texts = [f"{name}<br>{figure(value)}" for name, value in zip(names, values, strict=True)]
        drawn.add_bar(
            y=[_shortened(name) for name in names], x=values, orientation="h", marker=_marker(cue(index)),
            name=plain(name_of(report)), hovertext=texts, hoverinfo="text", row=1, col=index + 1,
        )  # fmt: skip
    drawn.update_yaxes(type="category", autorange="reversed", showgrid=False, tickfont_size=10, dtick=1)
    drawn.update_xaxes(
        tickformat="~s", rangemode="tozero", title_text=axis_title(result_of(found[0], metric)), nticks=5
    )
    drawn.update_layout(showlegend=False, bargap=0.25)
    drawn.update_annotations(font_size=13)
    title = f"{title_of(metric)} of {names_of(record)}{_said(max(left_out for _, left_out in chosen))}"
    return titled(drawn, title, height=_height(max(len(groups) for groups, _ in chosen), 1))


def _largest(groups: Sequence[str], results: Sequence[Result]) -> tuple[list[str], int]:
    """The groups with a cost in any of the results, in order; of very many the largest, and how many are left out."""
    sizes = {group: max((abs(figure_of(result, group) or 0) for result in results), default=0) for group in groups}
    costly = [group for group in groups if sizes[group]]
    kept = set(sorted(costly, key=lambda group: -sizes[group])[:_MOST])
    return [group for group in costly if group in kept], len(costly) - len(kept)


def _said(left_out: int) -> str:
    return f", the {_MOST} largest" if left_out else ""


def _height(groups: int, bars_each: int) -> int:
    return max(420, 140 + groups * (6 + _ROW * bars_each))


def _marker(look: Cue) -> dict[str, object]:
    pattern = {"shape": look.pattern, "fillmode": "overlay", "fgcolor": "white", "size": 7, "solidity": 0.25}
    return {"color": look.colour, "pattern": pattern}


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:9]}…{name[10 - _LONGEST :]}"


def _change(before: Number, after: Number) -> str:
    """The change over a bar, in whole percent where that says enough: a longer text would lie over the next bar."""
    if before == after or before is None or after is None:
        return ""
    whole = round(100 * (after / before - 1)) if before else 0
    return f"{whole:+d}%".replace("-", "−") if abs(whole) >= 10 else change(before, after)
