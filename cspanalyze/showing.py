"""How a record shows itself: as a table in `print`, as HTML in a notebook, as a data frame, as a file.

Records stand below renderers, so they cannot import what draws them. These methods load it by name when they are
called: a record is still plain data, and nothing but a call of one of them needs a renderer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

_RENDERER = "cspanalyze.renderers.showing"


class Printed:
    """A record that prints as text, becomes a data frame, and is saved in the format that a suffix stands for."""

    __slots__ = ()

    def shown(self) -> Any:
        """The record whose figures stand for this one: itself, unless it is made of others."""
        return self

    def __str__(self) -> str:
        return str(import_module(_RENDERER).text(self.shown()))

    def __repr__(self) -> str:
        return str(import_module(_RENDERER).in_short(self.shown(), type(self).__name__))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython writes in a terminal, and a notebook that shows no HTML: the table."""
        printer.text(str(self).rstrip("\n"))

    def to_dataframe(self, *, wide: bool = False) -> pd.DataFrame:
        """The figures as a pandas data frame, the columns of the CSV form; what is unknown is `<NA>`, never 0.

        Long (one row for each network, group and metric, with unit and method) for reports and comparisons; with `wide`
        one row for each network and group, and a column for each metric. Units are then those of the long form.

        Raises:
            UsageError: pandas is not installed.
        """
        frame: pd.DataFrame = import_module("cspanalyze.renderers.frames").frame(self.shown(), wide=wide)
        return frame

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the record to a file; the suffix says in which format: .txt .json .csv .md .tex .html.

        Raises:
            UsageError: the suffix stands for no format of this record.
            OutputError: the file exists and `force` is not given, or it cannot be written; it is written whole or not
                at all.
        """
        import_module(_RENDERER).save(self.shown(), path, force=force)


class Shown(Printed):
    """A record that notebooks show as a table, on light and on dark ground."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """A fragment of HTML, with its own style; names are escaped."""
        return str(import_module(_RENDERER).fragment(self.shown()))
