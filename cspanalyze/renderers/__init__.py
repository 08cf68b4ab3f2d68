"""Records -> text: small functions, chosen by format name or by the suffix of a file. No torch anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cspanalyze.errors import UsageError
from cspanalyze.renderers.grid import Document
from cspanalyze.renderers.layout import PLAIN, Layout
from cspanalyze.renderers.registry import renderer_of
from cspanalyze.renderers.style import Style
from cspanalyze.results import Record

__all__ = ["FORMATS", "FRAGMENT", "Document", "Layout", "Style", "format_of_suffix", "render", "render_document"]

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "table": (".txt",),
        "json": (".json",),
        "csv": (".csv",),
        "markdown": (".md", ".markdown"),
        "latex": (".tex",),
        "html": (".html", ".htm"),
    }
)
"""Every format, and the file suffixes that stand for it."""
FRAGMENT = "fragment"
"""A piece of HTML inside the page of somebody else, such as a notebook: no file has it."""


def format_of_suffix(suffix: str, more: Sequence[str] = ()) -> str:
    """The format that a file suffix stands for, the suffix itself where a plugin has it.

    The error names `more` suffixes that the caller knows itself.

    Raises:
        UsageError: none.
    """
    for name, suffixes in FORMATS.items():
        if suffix.lower() in suffixes:
            return name
    if suffix and renderer_of(suffix) is not None:
        return suffix.lower()
    known = ", ".join([*(suffix for suffixes in FORMATS.values() for suffix in suffixes), *more])
    raise UsageError(f"no format has the suffix {suffix!r}: known are {known}")


def render(record: Record, format: str, style: Style, layout: Layout = PLAIN) -> str | bytes:
    """The record in one of the `FORMATS`, or in one that is registered under the suffix that `format` then is.

    `layout` arranges tables, and leaves JSON and CSV as they are.
    """
    if format.startswith(".") and (registered := renderer_of(format)) is not None:
        return registered(record)
    if format in ("json", "csv"):
        from cspanalyze.renderers import data

        return data.render_json(record) if format == "json" else data.render_csv(record)
    from cspanalyze.renderers.document import document

    return render_document(document(record, layout), format, style)


def render_document(document: Document, format: str, style: Style) -> str:
    """A document in one of the formats that show documents: table, markdown, latex or html."""
    if format == "table":
        from cspanalyze.renderers.table import render_table

        return render_table(document, style)
    if format == "html":
        from cspanalyze.renderers.html import render_document_page

        return render_document_page(document)
    if format == FRAGMENT:
        from cspanalyze.renderers.html import render_document_fragment

        return render_document_fragment(document)
    from cspanalyze.renderers.markup import render_latex, render_markdown

    return (render_markdown if format == "markdown" else render_latex)(document, style)
