"""A page before it is HTML, and the template that writes it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from cspanalyze.renderers.grid import Document, Grid

if TYPE_CHECKING:
    from jinja2 import Template

_FIGURE = re.compile(r"([\d.]+) ([kMGTPE])")


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as JSON of plotly; `caption` says in words what it shows, for those who cannot see it too.

    A `wide` one has the line for itself; others stand side by side where there is room.
    """

    json: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as SVG text."""

    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: paragraphs, drawings, plots and tables, in this order.

    A `folded` section shows only its title until it is opened.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    plots: tuple[Plot, ...] = ()
    grids: tuple[Grid, ...] = ()
    remarks: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A title, sentences that say what the page is about, and sections."""

    title: str
    sentences: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def plots(self) -> list[Plot]:
        """Every plot, in order."""
        return [plot for section in self.sections for plot in section.plots]


def render_document_page(document: Document) -> str:
    """The page of a document: its sentences first, its tables, its remarks as the method."""
    return render_page(_page(document))


def render_document_fragment(document: Document) -> str:
    """The document inside somebody else's page: its tables, its remarks folded, its sentences."""
    return render_fragment(_page(document))


def _page(document: Document) -> Page:
    sections = [Section(grid.title, grids=(grid,)) for grid in document.grids]
    if document.remarks:
        sections.append(Section("What is counted", remarks=document.remarks))
    return Page(document.title, document.sentences, tuple(sections))


def render_page(page: Page) -> str:
    """The HTML of a page, with style, script and, where there are plots, plotly in it."""
    from cspanalyze.renderers.html.library import figures, library

    read = files(__package__).joinpath
    style, script = (read(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    packed = {"library": library(), "figures": figures(page.plots)} if page.plots else {"library": "", "figures": ""}
    return _template("page.html").render(page=page, style=style, script=script, **packed)


def render_fragment(page: Page) -> str:
    """The page without plots, scripts and links, in a style that takes the colours of what it stands in."""
    style = files(__package__).joinpath("fragment.css").read_text(encoding="utf-8")
    return _template("fragment.html").render(page=page, style=style)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cspanalyze.renderers.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "image": _image, "anchor": _anchor}
    return environment.get_template(name)


def _figure(text: str) -> tuple[str, str]:
    """Number and prefix of a figure, so that decimal points can stand below each other; no prefix in other texts."""
    found = _FIGURE.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _image(drawing: Drawing) -> str:
    """The SVG as an image, in which nothing is ever run."""
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.svg.encode()).decode('ascii')}"
