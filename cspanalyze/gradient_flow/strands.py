"""Which channels reach a position of a tensor: sets of source channels, run-length coded along a line of positions.

A *source* is a channel (layer, number) that a layer made. Neighbouring positions mostly hold neighbouring channels of
the same layers, so a whole map of a residual network is one run whatever its width, and the cost of following it grows
with the number of layers that meet and not with their channels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple, TypeAlias


class Strand(NamedTuple):
    """The channels [low, high) of one layer at the first position of a run; `step` (0 or 1) channels on at the next.

    `direct` says that moves, norms, activations and additions alone lie between: the gradient then arrives as it is,
    one tensor for all that were added. Behind a product of activations, or a union of different positions, it is not.
    """

    layer: int
    step: int
    direct: bool
    low: int
    high: int


Strands: TypeAlias = tuple[Strand, ...]
"""A set of source channels, sorted; strands of one layer, step and directness do not touch."""
Run: TypeAlias = tuple[int, Strands]
"""How many positions, and the sources of the first of them."""
Runs: TypeAlias = tuple[Run, ...]


def normalised(strands: Iterable[Strand]) -> Strands:
    """Sorted, touching intervals made one, and indirect ones left out where a direct one holds them."""
    merged: list[Strand] = []
    for strand in sorted(set(strands)):
        if merged and strand[:3] == merged[-1][:3] and strand.low <= merged[-1].high:
            merged[-1] = merged[-1]._replace(high=max(strand.high, merged[-1].high))
        else:
            merged.append(strand)
    straight = [strand for strand in merged if strand.direct]
    if not straight or len(straight) == len(merged):
        return tuple(merged)
    return tuple([strand for strand in merged if strand.direct or not any(_holds(s, strand) for s in straight)])


def _holds(outer: Strand, inner: Strand) -> bool:
    same = outer.layer == inner.layer and outer.step == inner.step
    return same and outer.low <= inner.low and inner.high <= outer.high


def united(first: Strands, second: Strands) -> Strands:
    """The union of two sets."""
    if not second or first == second:
        return first
    return normalised((*first, *second)) if first else second


def advanced(strands: Strands, positions: int) -> Strands:
    """The sources some positions further on."""
    if not positions:
        return strands
    return tuple(
        [
            Strand(i, step, direct, low + step * positions, high + step * positions)
            for i, step, direct, low, high in strands
        ]
    )


def covered(length: int, strands: Strands) -> Strands:
    """The union over all positions of a run."""
    if length == 1 or not any(strand.step for strand in strands):
        return still(strands)
    return normalised(s._replace(step=0, high=s.high + s.step * (length - 1)) for s in strands)


def still(strands: Strands) -> Strands:
    """The sources of one position, as they are repeated."""
    if not any(strand.step for strand in strands):
        return strands
    return normalised(strand._replace(step=0) for strand in strands)


def blurred(strands: Strands) -> Strands:
    """The same sources, none of which gets the gradient as it is."""
    if not any(strand.direct for strand in strands):
        return strands
    return normalised(strand._replace(direct=False) for strand in strands)


def directs(strands: Strands) -> int:
    """How many channels get the gradient of one position as it is."""
    return sum(strand.high - strand.low for strand in strands if strand.direct)


def append(runs: list[Run], length: int, strands: Strands) -> None:
    """Add positions at the end, to the last run if they continue it."""
    if length == 1:
        strands = still(strands)
    if runs:
        before, earlier = runs[-1]
        joined = _continued(before, earlier, length, strands)
        if joined is not None:
            runs[-1] = (before + length, joined)
            return
    runs.append((length, strands))


def _continued(before: int, earlier: Strands, length: int, strands: Strands) -> Strands | None:
    """The strands of one run that holds both, None if there is no such run. A single position fits either step."""
    if len(earlier) != len(strands):
        return None
    joined = []
    for one, other in zip(earlier, strands, strict=True):
        shift = other.low - one.low
        step = one.step if before > 1 else shift
        fits = step in (0, 1) and shift == step * before and (length == 1 or other.step == step)
        same = one.layer == other.layer and one.direct == other.direct and one.high + shift == other.high
        if not (fits and same):
            return None
        joined.append(one if one.step == step else one._replace(step=step))
    return tuple(joined)


def overlaid(first: Runs, second: Runs) -> Runs:
    """Position by position the union of two lines of equal length."""
    if first == second:
        return first
    runs: list[Run] = []
    others = iter(second)
    room, taken = 0, 0
    other: Strands = ()
    for length, strands in first:
        done = 0
        while done < length:
            if not room:
                room, other = next(others)
                taken = 0
            count = min(room, length - done)
            append(runs, count, united(advanced(strands, done), advanced(other, taken)))
            done, taken, room = done + count, taken + count, room - count
    return tuple(runs)


def union_of(runs: Iterable[Run]) -> Strands:
    """The union over all positions of a line."""
    return normalised(strand for length, strands in runs for strand in covered(length, strands))


class Line:
    """Runs with random access."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._ends = list(accumulate(length for length, _ in runs))

    def pick(self, start: int, length: int) -> Iterator[Run]:
        """The runs of `length` positions from `start`."""
        index = bisect_right(self._ends, start)
        while length:
            whole, strands = self._runs[index]
            skipped = start - (self._ends[index] - whole)
            count = min(length, whole - skipped)
            yield count, advanced(strands, skipped)
            start, length, index = start + count, length - count, index + 1
