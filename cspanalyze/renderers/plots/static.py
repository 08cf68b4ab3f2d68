"""Plots as pictures: PNG, SVG and PDF, drawn by a Chrome or Chromium of this machine through kaleido."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cspanalyze.errors import OutputError

if TYPE_CHECKING:
    import plotly.graph_objects as go

PICTURES = (".png", ".svg", ".pdf")
_INSTEAD = "write FILE.html instead, which needs neither"


def check_pictures() -> None:
    """Refuse pictures where they cannot be drawn, before any work.

    Raises:
        OutputError: kaleido or a browser is missing.
    """
    if find_spec("kaleido") is None:
        raise OutputError(f"pictures of plots need kaleido (pip install 'cspanalyze[static]'): {_INSTEAD}")
    if browser() is None:
        raise OutputError(f"pictures of plots need Chrome or Chromium, and none is found: {_INSTEAD}")


def picture(figure: go.Figure, suffix: str, width: int) -> bytes:
    """The figure as a picture; PNG has two dots a unit, for sharp text on any screen.

    Raises:
        OutputError: the browser fails.
    """
    import kaleido

    scale = 2 if suffix == ".png" else 1
    options = {"format": suffix.lstrip("."), "width": width, "height": figure.layout.height, "scale": scale}
    try:
        drawn: bytes = kaleido.calc_fig_sync(figure, opts=options, kopts={"mathjax": False})  # else it asks the network
    except Exception as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise OutputError(f"the browser could not draw the plot ({said}): {_INSTEAD}") from error
    return drawn


def browser() -> str | None:
    """The browser that kaleido will start."""
    from choreographer.browsers.chromium import Chromium

    return os.environ.get("BROWSER_PATH") or Chromium.find_browser(skip_local=False)
