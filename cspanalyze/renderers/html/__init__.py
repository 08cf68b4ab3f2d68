"""Document or sections -> one self-contained HTML page: no network, no other file; the template escapes names."""

from __future__ import annotations

from cspanalyze.renderers.html.page import (
    Drawing,
    Page,
    Plot,
    Section,
    render_document_fragment,
    render_document_page,
    render_fragment,
    render_page,
)

__all__ = [
    "Drawing",
    "Page",
    "Plot",
    "Section",
    "render_document_fragment",
    "render_document_page",
    "render_fragment",
    "render_page",
]
