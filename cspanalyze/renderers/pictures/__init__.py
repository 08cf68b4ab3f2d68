"""Diagrams and schematics -> DOT, Mermaid, SVG, PNG, PDF and pages. No torch anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from cspanalyze.diagrams.record import Diagram, diagram_to_json
from cspanalyze.errors import UsageError
from cspanalyze.renderers import FORMATS, Style, format_of_suffix, render_document
from cspanalyze.renderers.pictures import graphviz
from cspanalyze.renderers.pictures.dot import render_dot, too_large
from cspanalyze.renderers.pictures.labelling import uncrossed
from cspanalyze.renderers.pictures.look import Direction, Look
from cspanalyze.renderers.pictures.palette import Theme

__all__ = ["PICTURES", "Direction", "Look", "Theme", "picture_format", "render_diagram"]

PICTURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "svg": (".svg",),
        "png": (".png",),
        "pdf": (".pdf",),
        "dot": (".dot", ".gv"),
        "mermaid": (".mmd", ".mermaid"),
        "html": (".html", ".htm"),
    }
)
"""Formats that only pictures have, and their suffixes."""


def picture_format(suffix: str) -> str:
    """The format that a suffix stands for, pictures first.

    Raises:
        UsageError: none.
    """
    for name, suffixes in PICTURES.items():
        if suffix.lower() in suffixes:
            return name
    try:
        return format_of_suffix(suffix)
    except UsageError as error:
        known = dict.fromkeys(each for formats in (PICTURES, FORMATS) for many in formats.values() for each in many)
        raise UsageError(f"no format has the suffix {suffix!r}: known are {', '.join(known)}") from error


def render_diagram(diagram: Diagram, format: str, look: Look, style: Style) -> str | bytes:
    """The diagram in any format but `html`, which shows outlines (`webpage.render_page`).

    Raises:
        OutputError: Graphviz is missing, fails or takes too long.
    """
    if format in graphviz.FORMATS:
        quick = too_large(diagram)
        if diagram.frames and not quick and look.direction == "vertical":
            look = replace(look, labels=uncrossed(diagram, look))
        return graphviz.draw(lambda plain: render_dot(diagram, replace(look, quick=plain)), format, quick=quick)
    if format == "dot":
        return render_dot(diagram, replace(look, quick=too_large(diagram)))
    if format == "mermaid":
        from cspanalyze.renderers.pictures.mermaid import render_mermaid

        return render_mermaid(diagram, look.theme, look.direction, look.colour_by)
    if format == "json":
        import json

        return json.dumps(diagram_to_json(diagram), indent=2, ensure_ascii=False) + "\n"
    from cspanalyze.renderers.pictures.listing import diagram_document, render_diagram_csv

    return render_diagram_csv(diagram) if format == "csv" else render_document(diagram_document(diagram), format, style)
