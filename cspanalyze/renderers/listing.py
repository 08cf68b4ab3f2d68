"""The list of known networks -> text or data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from cspanalyze.renderers.figures import figure
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style
from cspanalyze.results import Network, Networks, dumps

_FEW = 8
"""In a list of up to so many networks there is room for all that is known of each."""


def render_networks(networks: Sequence[Network], format: str, style: Style) -> str:
    """The list in any of the formats that a run can be written in."""
    if format == "json":
        return dumps(Networks(tuple(networks)))
    if format == "csv":
        return _csv(networks)
    from cspanalyze.renderers import render_document

    return render_document(_document(networks), format, style)


def _csv(networks: Sequence[Network]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Network)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(network) for network in networks)
    return text.getvalue()


def _document(networks: Sequence[Network]) -> Document:
    counted = any(network.params is not None for network in networks)
    brief = len(networks) > _FEW and any(network.brief for network in networks)
    notes = [network.brief if brief else network.note for network in networks]
    sources = {network.source for network in networks}
    shown = [True, counted, len(sources) > 1, True, any(notes)]
    titles = ("params", "source", "input", "definition" if brief else "note")
    columns = [Column(title, align="right" if title in ("params", "input") else "left") for title in titles]
    blocks = []
    for network, note in zip(networks, notes, strict=True):
        texts = (figure(network.params), network.source, network.input_size, note)
        cells = [Cell(text) for text, show in zip(texts, shown[1:], strict=True) if show]
        blocks.append(Block((Line((network.name,), tuple(cells)),)))
    kept = tuple(column for column, show in zip(columns, shown[1:], strict=True) if show)
    remarks = [] if counted else ["--params counts the parameters of every network in a list this long"]
    if brief:
        remarks += [f"a list of up to {_FEW} networks, like `models cspvovnet`, says all there is to say of each"]
    if any("reconstruction" in note for note in notes):
        remarks += ["reconstruction = no definition was published; the percentages are how far it is from what was"]
    plural = "network" if len(networks) == 1 else "networks"
    where = f", {next(iter(sources))}" if len(sources) == 1 else ""
    grid = Grid((Column("name", align="left"),), kept, tuple(blocks))
    return Document(f"{len(networks)} {plural}{where}", (grid,), tuple(remarks))
