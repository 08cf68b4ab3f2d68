"""Words of DOT: attributes, and the labels that look like HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def attributes(values: dict[str, object]) -> str:
    """`key="value"` for each."""
    return " ".join(f"{key}={quoted(value)}" for key, value in values.items())


def quoted(value: object) -> str:
    """A value as a quoted string."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def spelled(text: str) -> str:
    """Any text inside a label, without a meaning as a tag."""
    return escape(_printable(text))


def font(markup: str, size: float, colour: str) -> str:
    """Markup in a size and colour."""
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{colour}">{markup}</FONT>'


def table(rows: Iterable[str], padding: int = 1) -> str:
    """Rows (`<TR>`) under each other without lines."""
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{"".join(rows)}</TABLE>'


def row(cell: str, beside: str = "", before: str = "") -> str:
    """A row with one cell of markup, and what stands beside it."""
    return f'<TR>{before}<TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD>{beside}</TR>'


def shortened(name: str, most: int = 44) -> str:
    """A long name without its middle."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in text)
