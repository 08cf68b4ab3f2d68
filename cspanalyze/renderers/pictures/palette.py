"""Colours of the pictures, for light and for dark paper.

Kinds are tints of the palette of Okabe and Ito, which colour-blind people tell apart; amounts are steps of one hue.
Nothing is said by colour alone: kinds are written on the nodes, amounts as figures, bypasses are thick, changes have a
sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cspanalyze.diagrams.record import Kind, State

Theme = Literal["light", "dark"]
FONT = "Helvetica,Arial,sans-serif"


@dataclass(frozen=True, slots=True)
class Paint:
    """Fill and outline of a node."""

    fill: str
    line: str


@dataclass(frozen=True, slots=True)
class Palette:
    """All colours of a theme, as `#rrggbb`."""

    paper: str
    ink: str
    faint: str
    arrow: str
    bypass: str
    frames: tuple[str, str]
    frame_line: str
    highlight: str
    kinds: Mapping[str, Paint]
    states: Mapping[State, Paint]
    scale: tuple[str, ...]
    warm: tuple[str, ...]

    def kind(self, kind: Kind) -> Paint:
        """Colours of a kind of node."""
        return self.kinds[FAMILY.get(kind, "other")]

    def amount(self, share: float) -> Paint:
        """Colours of an amount between 0 and 1."""
        fill = mixed(self.scale, share)
        return Paint(fill, mixed((fill, self.ink), 0.35))

    def heat(self, share: float) -> str:
        """Colour of an arrow for an amount between 0 and 1."""
        return mixed(self.warm, share)

    def text_on(self, fill: str) -> tuple[str, str]:
        """Ink and faint ink that can be read on a fill; on middling fills both are the same."""
        # Of near-black and white the one with more contrast (relative luminance of WCAG 2.1), and grey where that has
        # a contrast of 4.5 too.
        bright = luminance(fill)
        if bright < 0.183:
            return "#ffffff", "#e3eaf1" if bright < 0.14 else "#ffffff"
        return "#040608", "#323d48" if bright > 0.39 else "#040608"


FAMILY: Mapping[Kind, str] = {
    "input": "end", "output": "end", "block": "block", "conv": "layer", "linear": "layer", "recurrent": "layer",
    "embedding": "layer", "attention": "attention", "norm": "light", "activation": "light", "pool": "pool",
    "resample": "pool", "concat": "concat", "add": "sum", "multiply": "sum", "slice": "slice",
}  # fmt: skip
"""Kinds that share a colour."""
FAMILY_WORDS: Mapping[str, str] = {
    "block": "block", "layer": "layer with weights", "attention": "attention", "light": "norm, activation",
    "pool": "pooling, resize", "concat": "concatenation", "sum": "addition, product", "slice": "slice, split",
    "other": "other", "end": "input, output",
}  # fmt: skip
STATE_WORDS: Mapping[State, str] = {
    "same": "= same",
    "changed": "Δ changed",
    "added": "+ added",
    "removed": "− removed",
}

LIGHT = Palette(
    paper="#ffffff", ink="#16202b", faint="#5b6875", arrow="#6b7885", bypass="#d55e00",
    frames=("#f5f7fa", "#eaeff5"), frame_line="#c9d3de", highlight="#cc1f6a",
    kinds={
        "block": Paint("#dcebf8", "#2f7fc1"), "layer": Paint("#e3eefc", "#5b93d6"),
        "attention": Paint("#ece3f6", "#8a63b8"), "light": Paint("#f1f3f5", "#a7b1bb"),
        "pool": Paint("#dcf1ea", "#1f9474"), "concat": Paint("#fdebc8", "#d08a00"),
        "sum": Paint("#e6f4d8", "#6a9a2c"), "slice": Paint("#fbe2d3", "#d55e00"),
        "other": Paint("#f1f3f5", "#a7b1bb"), "end": Paint("#ffffff", "#5b6875"),
    },
    states={
        "same": Paint("#f3f5f7", "#b4bec8"), "changed": Paint("#fdebc8", "#d08a00"),
        "added": Paint("#d9ecfb", "#0072b2"), "removed": Paint("#fbe0d2", "#d55e00"),
    },
    scale=("#f4f8fc", "#c6dcf0", "#7fb2dc", "#3a7fbd", "#123f73"),
    warm=("#9aa5b1", "#d9a441", "#d55e00", "#8c1d40"),
)  # fmt: skip
DARK = Palette(
    paper="#0f1720", ink="#eef3f8", faint="#9fb0c0", arrow="#8494a4", bypass="#ff9b45",
    frames=("#16212d", "#1e2c3b"), frame_line="#34475a", highlight="#ff6fa8",
    kinds={
        "block": Paint("#1d4468", "#5aa9e6"), "layer": Paint("#1c3a63", "#6fa3e0"),
        "attention": Paint("#3d2a5c", "#b694e0"), "light": Paint("#28343f", "#697987"),
        "pool": Paint("#12463a", "#3fc29c"), "concat": Paint("#54400f", "#eab543"),
        "sum": Paint("#2f4718", "#9ccc57"), "slice": Paint("#5a2c10", "#ff9b45"),
        "other": Paint("#28343f", "#697987"), "end": Paint("#0f1720", "#9fb0c0"),
    },
    states={
        "same": Paint("#222d38", "#5a6a79"), "changed": Paint("#54400f", "#eab543"),
        "added": Paint("#0f3f66", "#56b4e9"), "removed": Paint("#5a2c10", "#ff9b45"),
    },
    scale=("#1a2632", "#1f4a72", "#2f7fb8", "#6fb8e6", "#d3ecfb"),
    warm=("#718191", "#e0b04d", "#ff8a3d", "#ff5c8a"),
)  # fmt: skip
PALETTES: Mapping[Theme, Palette] = {"light": LIGHT, "dark": DARK}


def mixed(steps: tuple[str, ...], share: float) -> str:
    """The colour at `share` (0 to 1) of a scale of evenly spaced colours."""
    place = min(1.0, max(0.0, share)) * (len(steps) - 1)
    low = min(int(place), len(steps) - 2)
    parts = zip(_channels(steps[low]), _channels(steps[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in parts)


def luminance(colour: str) -> float:
    """Relative luminance of a colour, from 0 (black) to 1 (white), as WCAG 2.1 defines it."""
    parts = [part / 255 for part in _channels(colour)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
