"""How every plot looks: colours that colour-blind readers tell apart, a second cue for each of them, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
_GROUNDS: Mapping[Theme, tuple[str, str, str]] = {
    "light": ("#ffffff", "#16202b", "#e3e8ed"),
    "dark": ("#12171d", "#e6ebf0", "#313b46"),
}
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, DejaVu Sans, sans-serif"
SCALE = ("#e9f0f6", "#a5cdea", "#3b8fc9", "#00568f", "#02243d")
"""For amounts, none to most: one hue, darker all the way, so that it reads the same in grey."""
ORDER = ("#6b86cc", "#55a6cb", "#6cc5ab", "#b5dc8c", "#f6e58d")
"""For places in a row, first to last: lighter all the way, and light enough for text on it."""

_TOP, _LINE, _SIGN = 84, 21, 9.0
"""Pixels above a plot, of a line of its title, and of a sign of it."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A colour, and what tells it from the others in grey: hatching of areas, shape of markers, dash of lines."""

    colour: str
    pattern: str
    marker: str
    dash: str


# Okabe and Ito, "Color universal design" (2008), in an order in which neighbours differ in lightness too.
CUES: Sequence[Cue] = (
    Cue("#0072B2", "", "circle", "solid"),
    Cue("#E69F00", "/", "diamond", "dash"),
    Cue("#009E73", "x", "square", "dot"),
    Cue("#CC79A7", "\\", "triangle-up", "dashdot"),
    Cue("#56B4E9", "-", "cross", "longdash"),
    Cue("#D55E00", "|", "star", "longdashdot"),
)


def cue(index: int) -> Cue:
    """The cue of the series at `index`; they come again after the last."""
    return CUES[index % len(CUES)]


def template(theme: Theme) -> go.layout.Template:
    """What all plots on light or on dark ground share."""
    import plotly.graph_objects as go

    ground, ink, rule = _GROUNDS[theme]
    axis: dict[str, Any] = {"gridcolor": rule, "linecolor": ink, "zerolinecolor": rule, "ticks": "", "automargin": True}
    axis["title"] = {"font": {"size": 13}, "standoff": 8}
    layout = {
        "paper_bgcolor": ground,
        "plot_bgcolor": ground,
        "font": {"color": ink, "family": FONT, "size": 13},
        "title": {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 14},
            "font": {"size": 16},
        },
        "xaxis": axis,
        "yaxis": axis,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
        "hoverlabel": {"font": {"family": FONT}, "align": "left"},
        "hovermode": "closest",
        "margin": {"l": 60, "r": 20, "t": _TOP, "b": 50},
        "colorway": [each.colour for each in CUES],
        "bargap": 0.25,
    }
    return go.layout.Template(layout=layout)


def titled(figure: go.Figure, title: str, *, height: int = 420) -> go.Figure:
    """The figure with its title and size, on light ground."""
    figure.update_layout(title_text=plain(title), template=template("light"), height=height)
    return figure


def fit_title(figure: go.Figure, width: int) -> None:
    """Break a title that is longer than a picture of `width` pixels is wide, and make room for its lines above."""
    lines = wrap(figure.layout.title.text or "", max(24, int((width - 90) / _SIGN)))
    if len(lines) > 1:
        top = figure.layout.margin.t or figure.layout.template.layout.margin.t or _TOP
        more = _LINE * (len(lines) - 1)
        figure.update_layout(title={"text": "<br>".join(lines), "pad": {"t": 22}}, margin_t=top + more)


def plain(text: str) -> str:
    """A name as plotly shows it unchanged: it would take `<` for markup, and `&` for a sign."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
