"""Outlines -> one HTML file that opens without a network: networks to open, search, colour and compare."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from typing import Any

from cspanalyze.diagrams.outline import Outline
from cspanalyze.diagrams.record import Metric
from cspanalyze.renderers.pictures.look import Direction
from cspanalyze.renderers.pictures.palette import FAMILY, PALETTES, Theme
from cspanalyze.renderers.pictures.wording import IN_BYTES, METRIC_WORDS

_SCRIPTS = ("words.js", "networks.js", "bypasses.js", "dot.js", "drawing.js", "table.js", "actions.js", "start.js")
"""What becomes one script, in this order."""
_EXPORTS = re.compile(r"export\s*\{[^}]*?(\w+) as Graphviz\b[^}]*\};?")


def render_page(
    outlines: Sequence[Outline],
    theme: Theme = "light",
    direction: Direction = "vertical",
    colour_by: Metric | None = None,
) -> str:
    """The page for one network, or for several beside each other."""
    title = " | ".join(outline.title for outline in outlines)
    parts = {
        "title": escape(title),
        "theme": theme,
        "style": _part("page.css"),
        "data": _embedded(_data(outlines, direction, colour_by)),
        # A module exports; one in a page cannot be imported from, so the class is handed over as a global name.
        "graphviz": _EXPORTS.sub(r"globalThis.Graphviz = \1;", _part("wasm-graphviz.js")),
        "script": "\n".join(map(_part, _SCRIPTS)),
    }
    return re.sub(r"@(\w+)@", lambda found: parts.get(found[1], found[0]), _part("page.html"))


def _part(name: str) -> str:
    return (files("cspanalyze.renderers.pictures") / "page" / name).read_text(encoding="utf-8")


def _data(outlines: Sequence[Outline], direction: Direction, colour_by: Metric | None) -> dict[str, Any]:
    return {
        "networks": [_network(outline) for outline in outlines],
        "metrics": [figure.metric for figure in outlines[0].totals],
        "words": METRIC_WORDS,
        "bytes": IN_BYTES,
        "families": FAMILY,
        "palettes": {theme: _palette(theme) for theme in PALETTES},
        "colour": colour_by or "",
        "direction": "TB" if direction == "vertical" else "LR",
        "names": _names([outline.title for outline in outlines]),
    }


def _names(titles: Sequence[str]) -> list[str]:
    """The heads of columns: `base` and what the others are called behind its name, where all begin with it."""
    first, *others = titles
    if not others or not all(title.startswith(f"{first} ") for title in others):
        return [*titles]
    return ["base", *(title.removeprefix(first).split(",")[0].strip() for title in others)]


def _network(outline: Outline) -> dict[str, Any]:
    data = asdict(outline)
    for entry in data["entries"]:
        entry["figures"] = _figures(entry["figures"])
    data["links"] = [[link.source, link.target, link.shape, link.reuse] for link in outline.links]
    data["totals"] = _figures(data["totals"])
    return data


def _figures(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {figure["metric"]: figure["value"] for figure in figures}


def _palette(theme: Theme) -> dict[str, Any]:
    data = asdict(PALETTES[theme])
    data["kinds"] = {kind: [paint["fill"], paint["line"]] for kind, paint in data["kinds"].items()}
    return data


def _embedded(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
