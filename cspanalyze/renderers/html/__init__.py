"""Document or sections -> one self-contained HTML page: no network, no other file; the template escapes names."""

from __future__ import annotations

from cspanalyze.renderers.html.page import Page, Plot, Section, render_document_page, render_page

__all__ = ["Page", "Plot", "Section", "render_document_page", "render_page"]
