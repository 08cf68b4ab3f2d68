"""A table before it is text: columns, and blocks of lines that belong together. Every table-like output starts here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from cspanalyze.results import Number

Tone = Literal["", "better", "worse", "faint"]
Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one field; `tone` says what it means, which a renderer may show in colour but never by colour alone.

    `share`, between 0 and 1, may be drawn as a bar beside the text; `exact` is the number behind a rounded text.
    """

    text: str = ""
    tone: Tone = ""
    share: float | None = None
    exact: Number = None


@dataclass(frozen=True, slots=True)
class Column:
    """Title over a column, and the unit of its numbers. A `glued` column stays beside the one to its left.

    A `dispensable` one repeats what another says, and is left out where there is no room for it.
    """

    title: str
    unit: str = ""
    align: Align = "right"
    glued: bool = False
    dispensable: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its labels, then a cell for each column; `depth` says how far inside a tree it is."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Lines about one thing; a `total` is set off from the blocks before it."""

    lines: tuple[Line, ...]
    total: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A whole table. The label columns are repeated wherever the others do not fit beside each other."""

    labels: tuple[Column, ...]
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    title: str = ""

    @property
    def lines(self) -> Iterator[Line]:
        """Every line, in order."""
        return (line for block in self.blocks for line in block.lines)


@dataclass(frozen=True, slots=True)
class Document:
    """What a command has to say: a title, tables, remarks that qualify the numbers, sentences that conclude."""

    title: str
    grids: tuple[Grid, ...]
    remarks: tuple[str, ...] = ()
    sentences: tuple[str, ...] = field(default=())
