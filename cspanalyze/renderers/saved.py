"""Anything that was saved -> text, in the formats that it can be written in."""

from __future__ import annotations

from cspanalyze import study
from cspanalyze.errors import UsageError
from cspanalyze.gradients.record import GradientRecord
from cspanalyze.renderers import Layout, Style, render
from cspanalyze.renderers.layout import PLAIN
from cspanalyze.renderers.listing import render_networks
from cspanalyze.renderers.publication import render_publication
from cspanalyze.results import Networks, Publication
from cspanalyze.saved import Saved


def render_saved(saved: Saved, format: str, style: Style, layout: Layout = PLAIN) -> str:
    """The text of a saved record; of a report other formats than HTML and JSON show its stages.

    Raises:
        UsageError: gradient records, which are written as a page only.
    """
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


def _gradients(records: tuple[GradientRecord, ...], format: str) -> str:
    if format != "html":
        raise UsageError(f"gradient records are written as a page: -o FILE.html, not {format}")
    from cspanalyze.renderers.html import Page, render_page
    from cspanalyze.renderers.report import gradient_section

    names = " and ".join(record.network for record in records)
    return render_page(Page(f"Gradients of {names}", (), (gradient_section(records),)))
