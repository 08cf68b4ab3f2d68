"""Numbers as people read them. Files for machines (JSON, CSV) never go through here."""

from __future__ import annotations

from decimal import Decimal

from cspanalyze.results import Number

UNKNOWN = "-"
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def figure(value: Number, decimals: int = 1) -> str:
    """A count with three decimals and an SI prefix (`4.089 G`), exact below 1000; a ratio with `decimals`.

    A count beyond the prefixes is written as a power of ten; it may be larger than any float.
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:.{decimals}f}"
    if abs(value) < 1000:
        return str(value)
    if abs(value) >= 1000 ** len(_PREFIXES):
        return f"{Decimal(value):.3e}"
    scaled, power = float(value), 0
    # Compared as it will be printed: 999,999.7 is 1.000 M and not 1000.000 k.
    while round(abs(scaled), 3) >= 1000 and power < len(_PREFIXES) - 1:
        scaled, power = scaled / 1000, power + 1
    return f"{scaled:.3f} {_PREFIXES[power]}"


def change(before: Number, after: Number) -> str:
    """The relative change (`-15.4 %`), as a factor from ten-fold on; `new` where there was nothing before."""
    if before is None or after is None:
        return UNKNOWN
    if before == after:
        return "="
    if before == 0:
        return "new"
    if after >= 10 * before:
        ratio = Decimal(after) / Decimal(before)  # counts of paths may be larger than any float
        return f"x{ratio:.1f}" if ratio < 1000 else f"x{ratio:.1e}"
    return percent(after / before - 1)


def percent(share: float) -> str:
    """A signed share in percent; two decimals where one would hide it."""
    text = f"{100 * share:+.1f} %"
    return text if text.strip("+- %") != "0.0" else f"{100 * share:+.2f} %"


def aligned(texts: list[str]) -> list[str]:
    """Figures of one column padded on the right, so that decimal points and prefixes stand below each other."""
    if not any(" " in text and text[-1].isalpha() for text in texts):
        return texts
    return [f"{text}      " if text.isdecimal() and text != "0" else text for text in texts]  # as wide as ".089 G"
