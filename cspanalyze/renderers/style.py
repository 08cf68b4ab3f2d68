"""How text may look where it goes: width, colour, and which characters it can hold."""

from __future__ import annotations

from dataclasses import dataclass


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
