"""Every kind of plot by name: what it is drawn from, and what it shows in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cspanalyze.designs import UNITS, label_of
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.record import GradientRecord
from cspanalyze.hardware import Profile
from cspanalyze.renderers.plots.bars import bars
from cspanalyze.renderers.plots.curves import Series, curves
from cspanalyze.renderers.plots.depth import depth
from cspanalyze.renderers.plots.gradients import overlap, raster, readers
from cspanalyze.renderers.plots.modules import icicle, treemap
from cspanalyze.renderers.plots.points import Point, pareto, roofline
from cspanalyze.renderers.plots.series import name_of, names_of, title_of, with_unit
from cspanalyze.renderers.tabulation import figure_of, label, reports
from cspanalyze.results import Record
from cspanalyze.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

By = Literal["stage", "module", "layer"]
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordPlot:
    """A plot of one metric of a record, best with rows by `by`; its figures can be shown as bars of text too."""

    by: By
    caption: str
    draw: Callable[[Record, str], go.Figure]


@dataclass(frozen=True, slots=True)
class GradientPlot:
    """A plot of gradient records."""

    caption: str
    draw: Callable[[Sequence[GradientRecord]], go.Figure]


RECORD_PLOTS: Mapping[str, RecordPlot] = MappingProxyType(
    {
        "bars": RecordPlot("stage", "One bar for every network in every group of rows.", bars),
        "depth": RecordPlot(
            "layer", "Above what every layer costs, in the order in which layers run; below the sum up to it.", depth
        ),
        "icicle": RecordPlot(
            "module", "Modules from the outermost on the left to the layers; every one as high as its share.", icicle
        ),
        "treemap": RecordPlot("module", "Modules as boxes within boxes, each as large as its share.", treemap),
    }
)
GRADIENT_PLOTS: Mapping[str, GradientPlot] = MappingProxyType(
    {
        "readers": GradientPlot(
            "For every layer, in how many weight updates the gradient of one of its channels appears, on average, and "
            "from how many layers it gets gradient itself.",
            readers,
        ),
        "overlap": GradientPlot(
            "Layer against layer: the share of gradient sources that two have in common (Jaccard index). Dark blocks "
            "off the diagonal are layers that learn from the same gradients.",
            overlap,
        ),
        "raster": GradientPlot(
            "For every layer, at which distances from the loss gradient reaches it, and by how many paths.", raster
        ),
    }
)
SIMILARITY_CAPTION = (
    "Layer against layer: how alike the samples' gradients of two layers are (debiased linear CKA, mean over draws). "
    "0 or less: nothing in common."
)
GAMMA_CAPTION = (
    "The twin's totals against gamma, the share of channels that bypasses the blocks, as change from the base."
)
ROOFLINE_CAPTION = (
    "Layers at the speed that they could reach at most: on the slope memory bounds them, on the level arithmetic. "
    "Bytes are those of the cache model; the larger the marker, the more arithmetic."
)
CAPACITY_CAPTION = "Bytes from memory for one forward pass, by the cache model, against what the chip can hold."


def gamma_plot(study: Study) -> go.Figure:
    """The twin's totals against gamma, each as the change from the network itself.

    Raises:
        UsageError: the study has no twins.
    """
    if not study.gammas:
        raise UsageError("there are no twins to draw against gamma: it takes a study of a network and its twin")
    base = study.stages.base
    whole = {result.metric: result.total for result in base.results}
    found = [
        Series(
            title_of(metric),
            tuple(p.gamma for p in study.gammas),
            tuple(p.total(metric) for p in study.gammas),
            whole[metric],
        )
        for metric in dict.fromkeys(total.metric for point in study.gammas for total in point.totals)
        if whole.get(metric)
    ]
    title = f"{name_of(base)} CSP against gamma"
    return curves(found, title, x_title="gamma", y_title=f"change from {name_of(base)}")


def roofline_plot(record: Record, profile: Profile) -> go.Figure:
    """Layers by arithmetic intensity, 2 x MACs for each byte read or written back, under the roof of the hardware.

    Raises:
        UsageError: the record holds no traffic, or the profile knows no peak or bandwidth.
    """
    points = []
    for report in reports(record):
        if not {"macs", "traffic_bytes", "write_back_bytes"} <= set(report.metrics):
            raise UsageError("a roofline needs MACs and traffic of the cache model: `cspanalyze cio` computes both")
        macs, read, written = map(report.result, ("macs", "traffic_bytes", "write_back_bytes"))
        for group in report.groups:
            work, moved = figure_of(macs, group), [figure_of(read, group), figure_of(written, group)]
            if work and None not in moved and (traffic := sum(amount or 0 for amount in moved)):
                points.append(Point(label(group), 2 * work / traffic, 2 * work, name_of(report)))
    dtypes = {each.rpartition(":")[2] for report in reports(record) for each in report.subject.inputs}
    dtype = dtypes.pop() if len(dtypes) == 1 else ""
    peak = profile.peak_flops(dtype)
    if peak is None or profile.dram_bytes_per_second is None:
        raise UsageError(f"the profile {profile.name} knows no peak or no bandwidth for {dtype or 'several dtypes'}")
    return roofline(points, peak, profile.dram_bytes_per_second, f"Roofline of {names_of(record)}, {profile.name}")


def capacity_plot(record: Record) -> go.Figure:
    """Traffic of every network against the capacity on chip.

    Raises:
        UsageError: the record holds no such curve.
    """
    found = [
        Series(name_of(report), tuple(x for x, _ in curve.points), tuple(y for _, y in curve.points))
        for report in reports(record)
        for curve in report.curves
        if curve.metric == "traffic_bytes"
    ]
    if not found:
        raise UsageError("the record has no traffic against capacity: `cspanalyze cio` computes it")
    title = f"Memory traffic of {names_of(record)}"
    return curves(found, title, x_title="on-chip capacity [bytes]", y_title="read from memory [bytes]", x_scale="bytes")


def pareto_plot(rows: Sequence[Row], x: str, y: str) -> go.Figure:
    """Networks of a sweep by two of its columns; rows that lack one are left out.

    Raises:
        UsageError: there is no such column, or no row has both figures.
    """
    for column in (x, y):
        if column not in rows[0]:
            raise UsageError(f"the file has no column {column!r}: it has {', '.join(rows[0])}")
    points = [Point(name, a, b) for name, row in zip(_names(rows), rows, strict=True)
              if (a := _number(row[x])) and (b := _number(row[y]))]  # fmt: skip
    if not points:
        raise UsageError(f"no row of the file has figures above 0 both for {x} and for {y}")
    return pareto(points, _axis(x), _axis(y), f"{title_of(y)} against {title_of(x)}, {len(points)} networks")


def _axis(column: str) -> str:
    """What a column of a sweep is called, with its unit."""
    return with_unit(title_of(column), UNITS.get(column, ""))


def _names(rows: Sequence[Row]) -> list[str]:
    """What each row is called: the network, and of a sweep over designs the design, alone where it is one network."""
    networks, designs = [next(iter(row.values())) for row in rows], [_design(row) for row in rows]
    if any(designs) and len(set(networks)) == 1:
        return designs
    return [f"{network} {design}".strip() for network, design in zip(networks, designs, strict=True)]


def _design(row: Row) -> str:
    preset = row.get("preset") or row.get("asked", "")
    return label_of(row.get("variant", ""), preset, *(row.get(name, "") for name in ("fusion", "inner", "gamma")))


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None
