"""Any record and a kind of plot -> the plot, what it shows in words, and what is counted in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cspanalyze.designs import FIELDS as DESIGN_FIELDS
from cspanalyze.designs import Designs, texts
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.measured import GradientMeasurement
from cspanalyze.gradient_flow.record import GradientRecord, GradientRecords
from cspanalyze.hardware import DEFAULT, Profile, find_profile
from cspanalyze.renderers.plots import plot_page
from cspanalyze.renderers.plots.gradients import similarity
from cspanalyze.renderers.plots.kinds import (
    CAPACITY_CAPTION,
    GAMMA_CAPTION,
    GRADIENT_PLOTS,
    RECORD_PLOTS,
    ROOFLINE_CAPTION,
    SIMILARITY_CAPTION,
    capacity_plot,
    gamma_plot,
    pareto_plot,
    roofline_plot,
)
from cspanalyze.renderers.plots.look import Theme, fit_title, template
from cspanalyze.renderers.plots.static import picture
from cspanalyze.results import Comparison, Record, Report
from cspanalyze.saved import named
from cspanalyze.study import Study, alone_or_compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

PARETO_CAPTION = "Networks on the stair are beaten by no other in both figures."
KINDS = (*RECORD_PLOTS, "gamma", "capacity", "roofline", *GRADIENT_PLOTS, "similarity", "pareto")


@dataclass(frozen=True, slots=True)
class Plotted:
    """A plotly figure, its caption, and remarks on what is counted."""

    figure: go.Figure
    caption: str
    remarks: tuple[str, ...] = ()

    def page(self) -> str:
        """As a page of its own."""
        import plotly.graph_objects as go

        return plot_page(go.Figure(self.figure), self.caption, self.remarks)

    def picture(self, suffix: str, theme: Theme, width: int) -> bytes:
        """As .png, .svg or .pdf.

        Raises:
            OutputError: the browser that draws it fails.
        """
        self.figure.layout.template = template(theme)
        fit_title(self.figure, width)
        return picture(self.figure, suffix, width)


def plotted_of(
    saved: object,
    kind: str = "",
    metric: str = "",
    profile: Profile | str = DEFAULT,
    name: str = "this record",
    axes: tuple[str, str] = ("macs", "cio"),
) -> Plotted:
    """The plot of a record; without `kind` the one that its kind of record is mostly drawn as.

    Raises:
        UsageError: there is no such kind, or it cannot be drawn from this record; `name` says what that is.
    """
    kind = kind or _usual(saved)
    if kind not in KINDS:
        raise UsageError(f"there is no kind of plot {kind!r}: choose from {', '.join(KINDS)}")
    if kind in GRADIENT_PLOTS:
        records = _gradients(saved)
        if records is None:
            raise UsageError(f"{name} holds no gradient records, which kind {kind} draws")
        plot = GRADIENT_PLOTS[kind]
        return Plotted(
            plot.draw(records), plot.caption, _remarks(saved, kind, name) if isinstance(saved, Study) else ()
        )
    if kind == "similarity":
        if not isinstance(saved, GradientMeasurement):
            raise UsageError(f"{name} holds no measured gradients, which kind similarity draws")
        if not any(value is not None for each in saved.networks for row in each.similarity for value in row):
            raise UsageError(f"{name} holds no similarity of layers: {'; '.join(saved.notes) or 'none was measured'}")
        return Plotted(similarity(saved), SIMILARITY_CAPTION)
    if kind == "gamma":
        if not isinstance(saved, Study):
            raise UsageError(f"{name} holds no twins over gamma: `cspanalyze report MODEL --csp` writes them")
        return Plotted(gamma_plot(saved), GAMMA_CAPTION, _remarks(saved, kind, name))
    if kind == "pareto":
        if not isinstance(saved, Designs):
            raise UsageError(f"{name} holds no sweep, which a Pareto front is drawn from")
        rows = [dict(zip(DESIGN_FIELDS, texts(row), strict=True)) for row in saved.rows]
        return Plotted(pareto_plot(rows, *axes), PARETO_CAPTION)
    record = record_of(saved, kind, name)
    remarks = _remarks(saved, kind, name)
    if kind == "capacity":
        return Plotted(capacity_plot(record), CAPACITY_CAPTION, remarks)
    if kind == "roofline":
        found = find_profile(profile) if isinstance(profile, str) else profile
        return Plotted(roofline_plot(record, found), ROOFLINE_CAPTION, remarks)
    known = RECORD_PLOTS[kind]
    return Plotted(known.draw(record, metric), known.caption, remarks)


def record_of(saved: object, kind: str, name: str = "this record") -> Record:
    """The figures with the rows that suit the plot.

    Raises:
        UsageError: the record has none.
    """
    if isinstance(saved, tuple):
        raise UsageError(f"{name} holds gradient records: draw them with kind {', '.join(GRADIENT_PLOTS)}")
    if isinstance(saved, GradientMeasurement):
        raise UsageError(f"{name} holds measured gradients: draw them with kind similarity")
    if isinstance(saved, Study):
        return alone_or_compared(saved.stages if kind in ("bars", "gamma", "capacity") else saved.modules)
    if not isinstance(saved, Report | Comparison):
        raise UsageError(f"{name} holds no run: there is nothing to draw in it (`cspanalyze render` shows it)")
    return saved


def _usual(saved: object) -> str:
    if isinstance(saved, Designs):
        return "pareto"
    if isinstance(saved, GradientMeasurement):
        return "similarity"
    if isinstance(saved, Study) and saved.gammas:
        return "gamma"
    return "readers" if isinstance(saved, tuple | GradientRecord | GradientRecords) else "bars"


def _gradients(saved: object) -> tuple[GradientRecord, ...] | None:
    if isinstance(saved, GradientRecords):
        return tuple(named(each.variant, each.record) for each in saved.networks)
    if isinstance(saved, Study):
        return saved.gradients
    if isinstance(saved, GradientRecord):
        return (saved,)
    return saved if isinstance(saved, tuple) else None


def _remarks(saved: object, kind: str, name: str) -> tuple[str, ...]:
    from cspanalyze.renderers.document import document

    return document(record_of(saved, kind, name)).remarks
