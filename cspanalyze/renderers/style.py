"""How text may look where it goes: width, colour, and which characters it can hold."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass

_DEFAULT_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Style:
    """`width` in characters; `colour` allows ANSI colours and drawn rules; `unicode` says what the encoding can."""

    width: int = 100
    colour: bool = False
    unicode: bool = True


_ASCII = {"✓": "=", "✗": "!=", "·": "*", "²": "^2", "Σ": "sum of", "×": "x", "−": "-", "–": "-", "Δ": "d"}
_ASCII |= {**dict.fromkeys("▏▎▍", " "), **dict.fromkeys("▌▋▊▉█", "#")}  # bars, to the nearest whole character


def to_ascii(text: str) -> str:
    """The text for an encoding without the signs used here; anything else unknown becomes `?`."""
    for sign, plain in _ASCII.items():
        text = text.replace(sign, plain)
    return text.encode("ascii", "replace").decode("ascii")


def line_width(terminal: bool) -> int:
    """Characters in a line: what COLUMNS says, the width of a terminal, or 100."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    if terminal:
        with contextlib.suppress(OSError):
            return os.get_terminal_size(sys.stdout.fileno()).columns or _DEFAULT_WIDTH
    return _DEFAULT_WIDTH


def holds_unicode(encoding: str | None) -> bool:
    """Whether an encoding has the signs that tables use."""
    try:
        "✓✗·²Σ─".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
