"""Where the layers of two networks differ -> a table."""

from __future__ import annotations

from cspanalyze.renderers.figures import UNKNOWN, figure
from cspanalyze.renderers.grid import Block, Cell, Column, Grid, Line, Tone
from cspanalyze.results import SELF, Alignment, LayerDifference, Number


def alignment_grid(base: str, alignment: Alignment) -> Grid:
    """A row for every difference, with what it adds to MACs and parameters."""
    columns = (
        Column(base, align="left"),
        Column(alignment.variant, align="left"),
        Column("MACs", "MAC"),
        Column("params", glued=True),
    )
    blocks = tuple(Block((_line(each),)) for each in alignment.differences)
    title = f"Layers of {alignment.variant} that are not those of {base} ({alignment.same} are)"
    return Grid((Column("", align="left"),), columns, blocks, title)


def _line(each: LayerDifference) -> Line:
    where = each.stage or SELF
    texts = (Cell(each.base or UNKNOWN), Cell(each.variant or UNKNOWN))
    return Line(
        (where if each.count == 1 else f"{where}  x{each.count}",), (*texts, *map(_signed, (each.macs, each.params)))
    )


def _signed(value: Number) -> Cell:
    if not value:
        return Cell("=", "faint")
    tone: Tone = "worse" if value > 0 else "better"
    return Cell(f"{'+' if value > 0 else '-'}{figure(abs(value))}", tone)
