"""Weight updates of a stage, in one network or several -> text, LaTeX, Markdown, or data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from cspanalyze.gradient_flow.equations import StageEquations, StageUpdates
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style, to_ascii
from cspanalyze.results import SCHEMA_VERSION

Named = tuple[str, StageUpdates]
"""What a network is called, and its equations."""
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉′″‴…", "0123456789'\"`.")
_ABOUT = "w' = f(w, g, ...) lists the gradients that enter a weight's update (arXiv 1911.11929, equations 2 and 4)"
_FIELDS = ("stage", "network", "layer", "weight", "gradient", "channels")


def render_equations(equations: StageEquations, format: str, style: Style) -> str:
    """The equations of every network, in any of the formats that a run can be written in."""
    model, stage, networks = equations.model, equations.stage, equations.networks
    if format == "json":
        return json.dumps(_data(model, stage, networks), indent=1, ensure_ascii=False) + "\n"
    if format == "csv":
        return _csv(stage, networks)
    if format == "html":
        from cspanalyze.renderers.html import render_document_page

        return render_document_page(_document(equations))
    if format == "latex":
        parts = [f"% {model}, {stage}: {name}\n\\[\n{updates.latex()}\n\\]" for name, updates in networks]
        return "\n".join(["% needs the package amsmath", *parts]) + "\n"
    if format == "markdown":
        parts = [f"**{model}, {stage}: {name}**\n\n```math\n{updates.latex()}\n```\n" for name, updates in networks]
        return "\n".join([*parts, _ABOUT]) + "\n"
    parts = [f"{model}, {stage}: {name}\n\n{_indented(updates.text())}\n" for name, updates in networks]
    text = "\n".join([*parts, _ABOUT]) + "\n"
    return text if style.unicode else to_ascii(text.replace("…", "...").translate(_PLAIN))


def _document(equations: StageEquations) -> Document:
    grids = tuple(
        Grid(
            (Column("weight update", align="left"),),
            (Column("layer", align="left"),),
            tuple(Block((Line((each.text(),), (Cell(each.name),)),)) for each in updates.updates),
            name,
        )
        for name, updates in equations.networks
    )
    meanings = dict.fromkeys(
        f"{symbol.text()}: {meaning}" for _, each in equations.networks for symbol, meaning in each.inputs
    )
    return Document(f"{equations.model}, {equations.stage}: weight updates", grids, (*meanings, _ABOUT))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _data(model: str, stage: str, networks: Sequence[Named]) -> dict[str, object]:
    found = [
        {
            "network": name,
            "updates": [
                {
                    "layer": update.name,
                    "weight": update.weight.text(),
                    "gradients": [
                        {"symbol": symbol.text(), "channels": channels}
                        for symbol, channels in zip(update.gradients, update.channels, strict=True)
                    ],
                    "text": update.text(),
                    "latex": update.latex(),
                }
                for update in updates.updates
            ],
            "inputs": [{"symbol": symbol.text(), "meaning": meaning} for symbol, meaning in updates.inputs],
        }
        for name, updates in networks
    ]
    return {"schema": SCHEMA_VERSION, "kind": "equations", "model": model, "stage": stage, "networks": found}


def _csv(stage: str, networks: Sequence[Named]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for name, updates in networks:
        for update in updates.updates:
            for symbol, channels in zip(update.gradients, update.channels, strict=True):
                writer.writerow([stage, name, update.name, update.weight.text(), symbol.text(), channels])
    return text.getvalue()
