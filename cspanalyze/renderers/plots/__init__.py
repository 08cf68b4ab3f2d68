"""Records -> plotly figures: one function a kind of plot. plotly is imported when the first figure is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cspanalyze.renderers.html.page import Page, Plot, Section, render_page
from cspanalyze.renderers.plots.look import fit_title

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["embedded", "plot_page"]
_WIDE, _HALF = 1100, 560  # pixels of a plot on a page of usual width, alone on its line and beside another


def embedded(figure: go.Figure, caption: str, *, wide: bool = True) -> Plot:
    """The figure as a page holds it. The page brings light and dark."""
    fit_title(figure, _WIDE if wide else _HALF)
    figure.layout.template = None
    return Plot(figure.to_json(), caption, wide)


def plot_page(figure: go.Figure, caption: str, remarks: tuple[str, ...]) -> str:
    """A page with one plot and what is counted in it."""
    title = figure.layout.title.text
    figure.layout.title.text = None
    figure.update_layout(margin_t=40)
    sections = [Section("", plots=(embedded(figure, caption),))]
    if remarks:
        sections.append(Section("What is counted", remarks=remarks))
    return render_page(Page(title, (), tuple(sections)))
