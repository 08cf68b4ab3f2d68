"""Pictures as Python users hold them: they show in notebooks, and are saved in the format that a suffix stands for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from cspanalyze.diagrams.outline import Outline
from cspanalyze.diagrams.record import Diagram
from cspanalyze.diagrams.schematic import Schematic
from cspanalyze.errors import OutputError, UsageError
from cspanalyze.files import check_writable, write_file
from cspanalyze.renderers.pictures import Look, graphviz, picture_format, render_diagram
from cspanalyze.renderers.pictures.schematic import render_schematic_as
from cspanalyze.renderers.plots.choosing import Plotted
from cspanalyze.renderers.plots.look import Theme, template
from cspanalyze.renderers.plots.static import PICTURES, check_pictures
from cspanalyze.renderers.saved import render_saved
from cspanalyze.renderers.style import Style
from cspanalyze.showing import Printed

_STYLE = re.compile(r' style="[^"]*"')
_FITTED = "max-width:100%;height:auto"


class _Picture(Printed):
    """What all pictures do: `content` gives them in a format."""

    __slots__ = ()

    def content(self, format: str) -> str | bytes:
        """The picture in a format.

        Raises:
            UsageError: it has no form in this format.
            OutputError: it cannot be drawn.
        """
        raise NotImplementedError

    def format_of(self, suffix: str) -> str:
        """The format that a suffix stands for.

        Raises:
            UsageError: none.
        """
        return picture_format(suffix)

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the picture to a file; the suffix says in which format.

        Raises:
            UsageError: the suffix stands for no format of this picture.
            OutputError: the file exists and `force` is not given, or it cannot be drawn or written.
        """
        file = Path(os.fspath(path)).expanduser()
        format = self.format_of(file.suffix)
        check_writable(file, force, "give force=True")
        write_file(file, self.content(format), force=force, hint="give force=True")

    def _repr_svg_(self) -> str | None:
        """The picture, never wider than the page. No HTML beside it: GitHub takes embedded images out of that."""
        content = self.content("svg")
        text = content if isinstance(content, str) else content.decode()
        head, end, rest = text[text.index("<svg") :].partition(">")
        return _STYLE.sub("", head).replace("<svg", f'<svg style="{_FITTED}"', 1) + end + rest

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/svg+xml": self._repr_svg_(), "text/plain": repr(self)}


@dataclass(frozen=True, slots=True, repr=False)
class DiagramPicture(_Picture):
    """A network as boxes and arrows.

    `outlines` gives all its boxes, for the page on which they are opened (.html). Other suffixes: .svg .png .pdf .dot
    .mmd .txt .json .csv .md .tex.
    """

    diagram: Diagram
    look: Look
    outlines: Callable[[], Sequence[Outline]]

    def shown(self) -> Diagram:
        """The diagram: nodes, edges and frames as a record."""
        return self.diagram

    def content(self, format: str) -> str | bytes:
        """The picture in a format."""
        if format != "html":
            return render_diagram(self.diagram, format, self.look, Style())
        from cspanalyze.renderers.pictures.webpage import render_page

        return render_page(self.outlines(), self.look.theme, self.look.direction, self.look.colour_by)


@dataclass(frozen=True, slots=True, repr=False)
class SchematicPicture(_Picture):
    """A stage as the CSPNet paper draws it. Suffixes: .svg .png .pdf .html .json."""

    schematic: Schematic
    theme: Theme = "light"

    def shown(self) -> Schematic:
        """What is drawn, as a record."""
        return self.schematic

    def content(self, format: str) -> str | bytes:
        """The picture in a format."""
        if format in graphviz.FORMATS:
            return render_schematic_as(self.schematic, format, self.theme)
        return render_saved(self.schematic, format, Style())


@dataclass(frozen=True, slots=True, repr=False)
class PlotPicture(_Picture):
    """A plot; `figure` is that of plotly. Suffixes: .html .svg .png .pdf .json (plotly's own).

    A notebook gets plotly's own form, to hover and zoom, and beside it SVG where kaleido and a browser are installed:
    pages that run no script, such as GitHub's, show that.
    """

    plotted: Plotted
    record: Any
    theme: Theme = "light"
    width: int = 900

    def shown(self) -> Any:
        """The record that is drawn."""
        return self.record

    @property
    def figure(self) -> Any:
        """The plotly figure; what is changed in it shows."""
        return self.plotted.figure

    @property
    def caption(self) -> str:
        """What the plot shows, in words."""
        return self.plotted.caption

    def format_of(self, suffix: str) -> str:
        """The format that a suffix stands for."""
        if suffix.lower() not in (*PICTURES, ".html", ".json"):
            raise UsageError(
                f"a plot is written as .html, .json, {', '.join(PICTURES)}, not as {suffix or 'a file without suffix'}"
            )
        return suffix.lower()[1:]

    def content(self, format: str) -> str | bytes:
        """The plot in a format."""
        if format == "html":
            return self.plotted.page()
        if format == "json":
            return f"{self._themed().to_json()}\n"
        check_pictures()
        return self.plotted.picture(f".{format}", self.theme, self.width)

    def __str__(self) -> str:
        return f"{self.figure.layout.title.text}: {self.caption}"

    def __repr__(self) -> str:
        return f"<plot: {self.figure.layout.title.text}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Plotly's form and, where it can be drawn, SVG."""
        import json

        bundle = {"application/vnd.plotly.v1+json": json.loads(self._themed().to_json()), "text/plain": repr(self)}
        return bundle if (svg := self._repr_svg_()) is None else {**bundle, "image/svg+xml": svg}

    def _repr_svg_(self) -> str | None:
        """SVG, None where it cannot be drawn."""
        try:
            return _Picture._repr_svg_(self)
        except OutputError:
            return None

    def _themed(self) -> Any:
        self.figure.layout.template = template(self.theme)
        return self.figure
