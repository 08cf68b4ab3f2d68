"""Any record -> text, in the formats that it can be written in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cspanalyze import study
from cspanalyze.designs import Designs
from cspanalyze.diagrams.record import Diagram
from cspanalyze.diagrams.schematic import Schematic
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.equations import StageEquations
from cspanalyze.gradient_flow.measured import GradientMeasurement
from cspanalyze.gradient_flow.record import GradientRecord, GradientRecords
from cspanalyze.limits import Check
from cspanalyze.renderers import FORMATS, FRAGMENT, Document, Layout, Style, render, render_document
from cspanalyze.renderers.layout import PLAIN
from cspanalyze.renderers.registry import renderer_of
from cspanalyze.results import Comparison, Networks, Publication, Report, StageChanges, StageListing
from cspanalyze.saved import Saved, named

Showable = Saved | StageEquations | GradientRecord | GradientRecords | StageChanges | StageListing


def render_saved(saved: Showable, format: str, style: Style, layout: Layout = PLAIN) -> str | bytes:
    """A record in a format; of a report other formats than HTML and JSON show its stages.

    Raises:
        UsageError: the record has no form in this format.
        OutputError: a diagram cannot be drawn.
    """
    if format.startswith(".") and (registered := renderer_of(format)) is not None:
        return registered(saved)
    if isinstance(saved, Diagram):
        return _diagram(saved, format, style)
    if isinstance(saved, Schematic):
        return _schematic(saved, format, style)
    if format not in (*FORMATS, FRAGMENT):
        raise UsageError(f"only a diagram is written as {format}: `cspanalyze plot FILE.json` draws a run")
    if isinstance(saved, study.Study):
        if format == "json":
            return study.dumps(saved)
        if format == "html":
            from cspanalyze.renderers.report import render_report

            return render_report(saved)
        return render(study.alone_or_compared(saved.stages), format, style, layout)
    if isinstance(saved, Report | Comparison):
        return render(saved, format, style, layout)
    return _record(saved, format, style)


def _record(saved: Showable, format: str, style: Style) -> str:
    """The records that have a renderer of their own, which is loaded when one is to be shown."""
    match saved:
        case Networks():
            from cspanalyze.renderers.listing import render_networks

            return render_networks(saved.models, format, style)
        case Publication():
            from cspanalyze.renderers.publication import render_publication

            return render_publication(saved, format, style)
        case StageListing():
            from cspanalyze.renderers.stages import render_stages

            return render_stages(saved, format, style)
        case Designs():
            from cspanalyze.renderers.designs import render_designs

            return render_designs(saved, format, style)
        case StageChanges():
            from cspanalyze.renderers.changes import render_changes

            return render_changes(saved, format, style)
        case Check():
            from cspanalyze.renderers.checks import render_check

            return render_check(saved, format, style)
        case GradientMeasurement():
            from cspanalyze.renderers.gradient_measurement import render_measurement

            return render_measurement(saved, format, style)
        case StageEquations():
            from cspanalyze.renderers.equations import render_equations

            return render_equations(saved, format, style)
        case GradientRecords() if format == "json":
            return json.dumps(saved.to_json(), indent=1) + "\n"
        case GradientRecords():
            return _gradients([named(each.variant, each.record) for each in saved.networks], format, style)
        case GradientRecord():
            return _gradients([saved], format, style)
    assert isinstance(saved, tuple)
    return _gradients(saved, format, style)


def _gradients(records: Sequence[GradientRecord], format: str, style: Style) -> str:
    if format == "json":
        raise UsageError("gradient records of several files are no file of their own: -o FILE.html, not json")
    from cspanalyze.renderers.gradient_records import render_gradient_records

    return render_gradient_records(records, format, style)


def _diagram(diagram: Diagram, format: str, style: Style) -> str | bytes:
    from cspanalyze.renderers.pictures import Look, render_diagram

    if format not in ("html", FRAGMENT):
        return render_diagram(diagram, format, Look(), style)
    from cspanalyze.renderers.html import Page, Section, render_fragment, render_page
    from cspanalyze.renderers.report import drawing_of

    page = Page(diagram.title, (), (Section("", drawings=(drawing_of(diagram),)),))
    return render_page(page) if format == "html" else render_fragment(page)


def _schematic(schematic: Schematic, format: str, style: Style) -> str | bytes:
    """The picture; as text its weight updates."""
    from cspanalyze.diagrams.schematic import schematic_to_json
    from cspanalyze.renderers.html import Drawing, Page, Section, render_fragment, render_page
    from cspanalyze.renderers.pictures.schematic import render_schematic_as

    if format == "json":
        return json.dumps(schematic_to_json(schematic), indent=2, ensure_ascii=False) + "\n"
    if format in ("svg", "png", "pdf"):
        return render_schematic_as(schematic, format)
    if format in ("table", "markdown", "latex"):
        lines = [line for each in schematic.panels for line in (f"{each.title}, {each.subtitle}", *each.updates)]
        return render_document(Document(schematic.title, (), tuple(lines)), format, style)
    if format not in ("html", FRAGMENT):
        raise UsageError(f"a schematic is a picture: it is written as svg, png, pdf, html or json, not as {format}")
    svg = str(render_schematic_as(schematic, "svg"))
    page = Page(schematic.title, (), (Section("", drawings=(Drawing(schematic.title, svg),)),))
    return render_page(page) if format == "html" else render_fragment(page)
