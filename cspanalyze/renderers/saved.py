"""Anything that was saved -> text, in the formats that it can be written in."""

from __future__ import annotations

from cspanalyze import study
from cspanalyze.diagrams.record import Diagram
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.record import GradientRecord
from cspanalyze.renderers import FORMATS, Layout, Style, render
from cspanalyze.renderers.layout import PLAIN
from cspanalyze.renderers.listing import render_networks
from cspanalyze.renderers.publication import render_publication
from cspanalyze.results import Networks, Publication
from cspanalyze.saved import Saved


def render_saved(saved: Saved, format: str, style: Style, layout: Layout = PLAIN) -> str | bytes:
    """A saved record in a format; of a report other formats than HTML and JSON show its stages.

    Raises:
        UsageError: the record has no form in this format.
        OutputError: a diagram cannot be drawn.
    """
    if isinstance(saved, Diagram):
        return _diagram(saved, format, style)
    if format not in FORMATS:
        raise UsageError(f"only a diagram is written as {format}: `cspanalyze plot FILE.json` draws a run")
    if isinstance(saved, study.Study):
        if format == "json":
            return study.dumps(saved)
        if format == "html":
            from cspanalyze.renderers.report import render_report

            return render_report(saved)
        return render(study.alone_or_compared(saved.stages), format, style, layout)
    if isinstance(saved, tuple):
        return _gradients(saved, format)
    if isinstance(saved, Networks):
        return render_networks(saved.models, format, style)
    if isinstance(saved, Publication):
        return render_publication(saved, format, style)
    return render(saved, format, style, layout)


def _diagram(diagram: Diagram, format: str, style: Style) -> str | bytes:
    from cspanalyze.renderers.pictures import Look, render_diagram

    if format != "html":
        return render_diagram(diagram, format, Look(), style)
    from cspanalyze.renderers.html import Page, Section, render_page
    from cspanalyze.renderers.report import drawing_of

    return render_page(Page(diagram.title, (), (Section("", drawings=(drawing_of(diagram),)),)))


def _gradients(records: tuple[GradientRecord, ...], format: str) -> str:
    if format != "html":
        raise UsageError(f"gradient records are written as a page: -o FILE.html, not {format}")
    from cspanalyze.renderers.html import Page, render_page
    from cspanalyze.renderers.report import gradient_section

    names = " and ".join(record.network for record in records)
    return render_page(Page(f"Gradients of {names}", (), (gradient_section(records),)))
