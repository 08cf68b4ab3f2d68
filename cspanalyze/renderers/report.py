"""A study -> one page: what it means, what it looks like, every figure, and how they were made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction

from cspanalyze.diagrams.record import Diagram
from cspanalyze.errors import OutputError, UsageError
from cspanalyze.gradient_flow import GradientRecord
from cspanalyze.hardware import DEFAULT, find_profile
from cspanalyze.renderers.arrangement import report_grid
from cspanalyze.renderers.document import document
from cspanalyze.renderers.figures import UNKNOWN, figure
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line
from cspanalyze.renderers.html import Page, Section, render_page
from cspanalyze.renderers.html.page import Drawing, Plot
from cspanalyze.renderers.layout import Layout
from cspanalyze.renderers.pictures import Look, render_diagram
from cspanalyze.renderers.plots import embedded
from cspanalyze.renderers.plots.kinds import (
    CAPACITY_CAPTION,
    GAMMA_CAPTION,
    GRADIENT_PLOTS,
    RECORD_PLOTS,
    ROOFLINE_CAPTION,
    capacity_plot,
    gamma_plot,
    roofline_plot,
)
from cspanalyze.renderers.plots.series import name_of
from cspanalyze.renderers.style import Style
from cspanalyze.renderers.tabulation import changes_grids, reports
from cspanalyze.results import Record
from cspanalyze.study import Study, alone_or_compared

_FOLDED_FROM = 40  # rows of a module table that stand open at once
GRADIENTS_ABOUT = (
    "Which gradients enter which weight updates, read off the structure: the opportunity for duplicate gradient, not "
    "what training makes of it. A gradient term is a slice of channels that one layer reads of another; terms that "
    "repeat a slice use its gradient again."
)


def render_report(study: Study) -> str:
    """The page as HTML."""
    record = alone_or_compared(study.stages)
    said = document(record)
    sections = [
        _stages(record, said.grids[0]),
        *_twin(study),
        *([Section("Differences", grids=said.grids[1:])] if study.stages.alignments and said.grids[1:] else []),
        *_architecture(study),
        *_memory(study),
        *_modules(alone_or_compared(study.modules)),
        *([gradient_section(study.gradients)] if any(each.whole.terms for each in study.gradients) else []),
        Section("Method", remarks=(*said.remarks, *([f"made by: {study.command}"] if study.command else []))),
    ]
    return render_page(Page(said.title, study.stages.sentences, tuple(sections)))


def _stages(record: Record, table: Grid) -> Section:
    drawn = [_record_plot(record, "bars", metric) for metric in ("macs", "cio", "fused_bytes") if _has(record, metric)]
    return Section("Stages", plots=tuple(drawn[:2] if len(drawn) > 1 else drawn), grids=(table,))


def _twin(study: Study) -> Iterator[Section]:
    if study.stages.changes:
        plots = (embedded(gamma_plot(study), GAMMA_CAPTION),) if study.gammas else ()
        yield Section("Partial stages", plots=plots, grids=changes_grids(study.stages.changes))


def _architecture(study: Study) -> Iterator[Section]:
    """The diagrams, or why there are none."""
    try:
        drawings = tuple(drawing_of(each) for each in study.diagrams)
    except OutputError as error:
        yield Section("Architecture", paragraphs=(f"There is no diagram here: {error}.",))
        return
    if drawings:
        yield Section("Architecture", drawings=drawings)


def drawing_of(diagram: Diagram) -> Drawing:
    """The diagram as SVG.

    Raises:
        OutputError: it cannot be drawn.
    """
    content = render_diagram(diagram, "svg", Look(), Style())
    return Drawing(diagram.title, content if isinstance(content, str) else content.decode())


def _memory(study: Study) -> Iterator[Section]:
    record, layers = alone_or_compared(study.stages), alone_or_compared(study.modules)
    plots = []
    if all(report.curves for report in reports(record)):
        plots.append(embedded(capacity_plot(record), CAPACITY_CAPTION, wide=False))
    profile = find_profile(DEFAULT)
    if _has(layers, "traffic_bytes") and _has(layers, "macs"):
        with contextlib.suppress(UsageError):  # the profile knows no peak for this dtype
            plots.append(embedded(roofline_plot(layers, profile), ROOFLINE_CAPTION, wide=False))
    if plots:
        yield Section("Memory", plots=tuple(plots))


def _modules(record: Record) -> Iterator[Section]:
    wanted = (("icicle", "macs"), ("depth", "macs"), ("depth", "fused_bytes"))
    plots = tuple(_record_plot(record, kind, metric) for kind, metric in wanted if _has(record, metric))
    yield Section("Modules", plots=plots)
    found = reports(record)
    for report in found:
        grid = report_grid(report, Layout(tree=True))
        title = f"Modules of {name_of(report)}" if len(found) > 1 else "All modules"
        yield Section(title, grids=(grid,), folded=len(found) > 1 or len(list(grid.lines)) > _FOLDED_FROM)


def gradient_section(records: Sequence[GradientRecord]) -> Section:
    """Plots of the gradient structure, and its figures."""
    plots = tuple(embedded(kind.draw(records), kind.caption) for kind in GRADIENT_PLOTS.values())
    return Section("Gradients", paragraphs=(GRADIENTS_ABOUT,), plots=plots, grids=(duplication_grid(records),))


def duplication_grid(records: Sequence[GradientRecord]) -> Grid:
    """The figures of the whole networks, one row each."""
    columns = (
        Column("layers"), Column("gradient terms", "T"), Column("distinct", "U"), Column("repeated", "1 - U/T"),
        Column("repeated by channels", "1 - U_c/T_c"), Column("reuse, mean", "layers"), Column("reuse, most", "layers"),
        Column("copy factor"), Column("longest shortest path", "layers"), Column("longest path", "layers"),
    )  # fmt: skip
    blocks = []
    for record in records:
        whole = record.whole
        cells = [
            *map(_count, (whole.layers, whole.terms, whole.distinct)),
            *map(_share, (whole.ratio, whole.channel_ratio)),
            _ratio(whole.mean_readers), _count(whole.most_readers), _ratio(whole.copy_factor),
            _count(whole.longest_shortest_path), _count(whole.longest_path),
        ]  # fmt: skip
        blocks.append(Block((Line((record.network,), tuple(cells)),)))
    return Grid((Column("network", align="left"),), columns, tuple(blocks))


def _count(value: int | None) -> Cell:
    return Cell(figure(value), exact=value)


def _share(value: Fraction | None) -> Cell:
    return Cell(UNKNOWN if value is None else f"{100 * float(value):.1f} %")


def _ratio(value: Fraction | None) -> Cell:
    return Cell(UNKNOWN if value is None else f"{float(value):.2f}")


def _record_plot(record: Record, kind: str, metric: str) -> Plot:
    drawn = RECORD_PLOTS[kind]
    return embedded(drawn.draw(record, metric), drawn.caption, wide=kind == "icicle")


def _has(record: Record, metric: str) -> bool:
    return all(metric in report.metrics and report.result(metric).total for report in reports(record))
