"""The figures as results: one row for each stage, module or layer, like those of every other analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from cspanalyze.analyses import Grouping
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.duplication import Duplication, duplication
from cspanalyze.gradient_flow.flow import GradientFlow
from cspanalyze.results import Number, Result, Row, Uncovered, within


@dataclass(frozen=True, slots=True)
class Metric:
    """Unit, meaning and value of a figure; `additive` if the rows sum up to the network's."""

    unit: str
    note: str
    value: Callable[[Duplication], int | float | Fraction | None]
    additive: bool = False


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "gradient_duplication_channels": Metric(
            "ratio", "share of gradient terms that repeat another, by channels: 1 - U_c/T_c", lambda d: d.channel_ratio
        ),
        "gradient_duplication": Metric(
            "ratio", "share of gradient terms that repeat another: 1 - U/T", lambda d: d.ratio
        ),
        "gradient_reuse": Metric(
            "layers", "weight updates that the gradient of a channel enters, mean: T_c/U_c", lambda d: d.mean_readers
        ),
        "gradient_reuse_max": Metric("layers", "the same, at most", lambda d: d.most_readers),
        "gradient_copy_factor": Metric(
            "ratio", "channels that get one gradient by an addition, for each channel read", lambda d: d.copy_factor
        ),
        "gradient_layers": Metric(
            "layers", "calls of operations with a learnable mixing weight", lambda d: d.layers, additive=True
        ),
        "gradient_terms": Metric(
            "terms", "pairs of a layer and a slice of channels that it reads (T)", lambda d: d.terms, additive=True
        ),
        "gradient_terms_distinct": Metric("terms", "slices that are read at all (U)", lambda d: d.distinct),
        "gradient_term_channels": Metric(
            "channels", "channels of all gradient terms (T_c)", lambda d: d.term_channels, additive=True
        ),
        "gradient_term_channels_distinct": Metric(
            "channels", "channels that are read at all (U_c)", lambda d: d.distinct_channels
        ),
        "gradient_read_channels": Metric(
            "channels", "input channels that a trainable layer reaches (G)", lambda d: d.read_channels, additive=True
        ),
        "gradient_source_overlap": Metric(
            "ratio", "mean Jaccard index of the gradient sources of two layers", lambda d: d.source_overlap
        ),
        "gradient_paths": Metric("paths", "ways from the exit to the layer that has most of them", lambda d: d.paths),
        "longest_shortest_gradient_path": Metric(
            "layers", "largest length of a shortest way from the exit to a layer", lambda d: d.longest_shortest_path
        ),
        "longest_gradient_path": Metric("layers", "length of the longest way to a layer", lambda d: d.longest_path),
    }
)  # fmt: skip
"""Every metric by name, the headline first. Ratios are exact inside and floats in the rows; counts stay integers, also
those beyond the range of a float (the paths of a very deep residual network)."""


def scopes(flow: GradientFlow, grouping: Grouping) -> dict[str, tuple[int, ...]]:
    """The layers of every group that has any, in display order."""
    found: dict[str, list[int]] = {name: [] for name in grouping.names}
    for index, layer in enumerate(flow.layers):
        found[grouping.of_op[layer.op]].append(index)
    return {name: tuple(layers) for name, layers in found.items() if layers}


def gradient_results(
    flow: GradientFlow, grouping: Grouping, metrics: Iterable[str] = tuple(METRICS)
) -> tuple[Result, ...]:
    """The named metrics, a row for each group and the whole network as the total.

    Only layers of a group count as readers in its row; a group without layers has none. Where modules are rows,
    `layer1.*` is all that is in `layer1` together, in the metrics that are no sums. What could not be followed exactly
    is listed as uncovered: its operands' channels are in the figures, united.

    Raises:
        UsageError: an unknown metric.
    """
    names = list(metrics)
    for name in names:
        if name not in METRICS:
            raise UsageError(f"unknown gradient metric {name!r}; known are {', '.join(METRICS)}")
    members = scopes(flow, grouping)
    figures = {name: duplication(flow, layers) for name, layers in members.items()}
    together = _containers(members) if grouping.by == "module" else {}
    containers = {name: duplication(flow, layers) for name, layers in together.items()}
    whole = duplication(flow)
    uncovered = tuple(Uncovered(flag.op, flag.count, flag.modules) for flag in flow.flags if flag.kind != "mix")
    found = []
    for name in names:
        metric = METRICS[name]
        shown = figures if metric.additive else figures | containers
        rows = tuple(Row(group, "", _number(metric.value(own))) for group, own in shown.items())
        total = _number(metric.value(whole))
        found.append(Result(name, metric.unit, "trace", rows, total, uncovered, metric.additive, metric.note))
    return tuple(found)


def _containers(members: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """All layers in every module in which there are several rows, by what the row of it all is called."""
    rows: dict[str, list[str]] = {}
    for name in members:
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            rows.setdefault(".".join(parts[:depth]), []).append(name)
    return {
        within(module): sorted(layer for name in names for layer in members[name])
        for module, names in rows.items()
        if names != [module]
    }


def _number(value: int | float | Fraction | None) -> Number:
    return float(value) if isinstance(value, Fraction) else value
