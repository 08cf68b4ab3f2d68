"""Where in the module tree a cost sits: an icicle or a treemap, areas in proportion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import UsageError
from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.plots.look import ORDER, plain, titled
from cspanalyze.renderers.plots.series import metric_of, name_of, names_of, result_of, title_of
from cspanalyze.renderers.tabulation import figure_of, reports
from cspanalyze.results import SELF, Number, Record

if TYPE_CHECKING:
    import plotly.graph_objects as go

_NEARLY_ALL = 0.9
"""A module with more than this of the cost divides nothing: one level more is drawn."""


def icicle(record: Record, metric: str = "") -> go.Figure:
    """The module tree from left to right, every module as high as its share."""
    return _drawn(record, metric, "icicle", {"tiling": {"orientation": "h"}, "leaf": {"opacity": 1}})


def treemap(record: Record, metric: str = "") -> go.Figure:
    """The module tree as boxes within boxes, each as large as its share."""
    return _drawn(record, metric, "treemap", {"tiling": {"pad": 1, "packing": "squarify"}})


def _drawn(record: Record, metric: str, kind: str, tiling: Mapping[str, Any]) -> go.Figure:
    import plotly.graph_objects as go

    metric = metric_of(record, metric)
    drawn, found = go.Figure(), reports(record)
    for index, report in enumerate(found):
        result = result_of(report, metric)
        if not result.additive:
            raise UsageError(
                f"{title_of(metric)} of modules do not add up to that of the network: choose another metric"
            )
        start, stop = (index + 0.02 * bool(index)) / len(found), (index + 1) / len(found)
        tree = _tree(name_of(report), {group: figure_of(result, group) for group in report.groups})
        trace = {
            "type": kind,
            **tree,
            "branchvalues": "total",
            "hoverinfo": "text",
            "domain": {"x": [start, stop]},
            "sort": kind == "treemap",
            "maxdepth": tree.pop("maxdepth"),
            **tiling,
        }
        drawn.add_trace(trace)
    titled(drawn, f"{title_of(metric)} by module, {names_of(record)}", height=560)
    # All text in one size, or the small boxes shout; what does not fit is told on hovering.
    return drawn.update_layout(margin={"l": 10, "r": 10, "t": 70, "b": 15}, uniformtext={"minsize": 10, "mode": "hide"})


def _tree(network: str, figures: Mapping[str, Number]) -> dict[str, Any]:
    """What plotly takes, one entry for every module with a cost; colours run from the first module to the last."""
    from plotly.colors import sample_colorscale

    costs: dict[tuple[str, ...], int | float] = {}
    leaves: dict[tuple[str, ...], list[int]] = {}
    for place, (group, cost) in enumerate((group, cost) for group, cost in figures.items() if cost):
        path = tuple(group.partition("#")[0].split(".")) if group else (SELF,)  # calls of one module are one box
        for length in range(len(path) + 1):
            costs[path[:length]] = costs.get(path[:length], 0) + cost
            leaves.setdefault(path[:length], []).append(place)
    whole = costs.get((), 0)
    last = max((places[-1] for places in leaves.values()), default=0) or 1
    middles = [sum(leaves[path]) / len(leaves[path]) / last for path in costs]
    outermost = max((cost for path, cost in costs.items() if len(path) == 1), default=0)
    return {
        "maxdepth": 5 if outermost > _NEARLY_ALL * whole else 4,
        "ids": [_id(path) for path in costs],
        "parents": [_id(path[:-1]) if path else "" for path in costs],
        "labels": [plain(path[-1] if path else network) for path, cost in costs.items()],
        "texttemplate": [f"%{{label}}<br>{figure(whole)}", *["%{label}  %{percentRoot:.1%}"] * (len(costs) - 1)],
        "values": list(costs.values()),
        "hovertext": [
            f"{plain('.'.join(path) or network)}<br>{figure(cost)}, {100 * cost / whole:.1f} %"
            for path, cost in costs.items()
        ],
        "marker": {
            "colors": ["rgba(128,128,128,0.12)", *sample_colorscale(list(ORDER), middles[1:])],
            "line": {"width": 0.75, "color": "rgba(255,255,255,0.8)"},
        },
    }


def _id(path: tuple[str, ...]) -> str:
    return "/".join(("network", *path))
