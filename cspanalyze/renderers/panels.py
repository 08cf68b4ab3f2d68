"""Split a table that is too wide into panels that are not: no column is ever left out."""

from __future__ import annotations

from collections.abc import Sequence

from cspanalyze.renderers.grid import Column

Panel = tuple[int, ...]
"""Indices of the columns that stand beside each other."""


def panels(columns: Sequence[Column], widths: Sequence[int], room: int, gap: int) -> list[Panel]:
    """The columns in as few panels of at most `room` characters as possible, the panels about equally wide.

    Every column takes its width and a gap. Glued columns stay with the one to their left where that fits.
    """
    groups: list[list[int]] = []
    for index, column in enumerate(columns):
        if column.glued and groups and _width([*groups[-1], index], widths, gap) <= room:
            groups[-1].append(index)
        else:
            groups.append([index])
    filled = _fill(groups, widths, room, gap)
    narrow = max((_width(group, widths, gap) for group in groups), default=0)
    for limit in range(narrow, room):  # the least room that needs no panel more makes them even
        even = _fill(groups, widths, limit, gap)
        if len(even) == len(filled):
            return even
    return filled


def _fill(groups: Sequence[Sequence[int]], widths: Sequence[int], room: int, gap: int) -> list[Panel]:
    made: list[list[int]] = []
    for group in groups:
        if made and _width([*made[-1], *group], widths, gap) <= room:
            made[-1].extend(group)
        else:
            made.append(list(group))
    return [tuple(panel) for panel in made]


def _width(indices: Sequence[int], widths: Sequence[int], gap: int) -> int:
    return sum(widths[index] + gap for index in indices)
