"""Suggestions for a name that is not quite right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_misses(name: str, known: Iterable[str], limit: int = 4) -> list[str]:
    """Up to `limit` of the known names that are spelled like `name`, best first; capitals do not matter."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.7)
    return [by_folded[folded] for folded in found]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean a, b or c?`, or nothing where no known name is close."""
    close = near_misses(name, known)
    if not close:
        return ""
    *head, last = close
    return f"; did you mean {', '.join(head) + ' or ' if head else ''}{last}?"
