"""The shadow of a tensor: for every element the source channels that reach it, stored only where it varies.

Moving a tensor moves its shadow by the same index arithmetic, exactly. Dimensions along which nothing varies (mostly
batch, height and width) stay single positions until an operation makes them differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod

from cspanalyze.gradient_flow.strands import (
    Line,
    Run,
    Runs,
    Strand,
    Strands,
    append,
    blurred,
    directs,
    overlaid,
    still,
    union_of,
    united,
)

FINEST = 1 << 13
"""More separate pieces than this are not told apart."""


class TooFine(Exception):
    """A move would give more than `FINEST` separate pieces; the caller unites sources instead, and says so."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """`extents` are the sizes of the tensor, 1 where nothing varies along it; `runs` are its positions, row-major."""

    extents: tuple[int, ...]
    runs: Runs

    @property
    def empty(self) -> bool:
        """Whether no source reaches the tensor."""
        return not any(strands for _, strands in self.runs)

    @property
    def everything(self) -> Strands:
        """The sources of all elements."""
        return union_of(self.runs)


def constant(rank: int, strands: Strands = ()) -> Shadow:
    """Every element has the same sources."""
    return Shadow((1,) * rank, ((1, still(strands)),))


def own_channels(shape: Sequence[int], axes: Sequence[int], layer: int) -> Shadow:
    """The output of a layer, whose channels are numbered along `axes`."""
    extents = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    count = prod(extents)
    step = 1 if count > 1 else 0
    return Shadow(extents, ((count, (Strand(layer, step, True, 0, 1),)),))


def take(shadow: Shadow, axis: int, start: int, step: int, count: int) -> Shadow:
    """`count` indices of one dimension from `start`, `step` apart."""
    if shadow.extents[axis] == 1:
        return shadow
    strides = _strides(shadow.extents)
    extents = _replaced(shadow.extents, axis, count)
    moved = _replaced(strides, axis, step * strides[axis])
    return _relaxed(Shadow(extents, _strided(shadow.runs, start * strides[axis], extents, moved)), axis)


def _relaxed(shadow: Shadow, axis: int) -> Shadow:
    """Stored once along the first varying dimension if it repeats there: the patches, when the class token is gone."""
    count, runs = shadow.extents[axis], shadow.runs
    if count == 1 or prod(shadow.extents[:axis]) > 1:
        return shadow
    block = runs[: len(runs) // count]
    if len(runs) == 1 and not any(strand.step for strand in runs[0][1]):
        block = ((prod(shadow.extents) // count, runs[0][1]),)
    elif block * count != runs:
        return shadow
    return Shadow(_replaced(shadow.extents, axis, 1), block)


def reorder(shadow: Shadow, axes: Sequence[int | None]) -> Shadow:
    """Dimension `axes[i]` becomes dimension i; None makes a new one of size 1. What is not named must not vary."""
    strides = _strides(shadow.extents)
    extents = tuple(1 if axis is None else shadow.extents[axis] for axis in axes)
    moved = tuple(0 if axis is None else strides[axis] for axis in axes)
    return Shadow(extents, _strided(shadow.runs, 0, extents, moved))


def spread(shadow: Shadow, extents: Sequence[int]) -> Shadow:
    """Store repeated positions one by one, so that a later move can tell them apart."""
    if tuple(extents) == shadow.extents:
        return shadow
    return Shadow(tuple(extents), _strided(shadow.runs, 0, extents, _strides(shadow.extents)))


def reshape(shadow: Shadow, old: Sequence[int], new: Sequence[int]) -> Shadow:
    """The same elements in row-major order under another shape."""
    if 0 in old:
        return constant(len(new))
    extents = [1] * len(new)
    fine = list(shadow.extents)
    groups = [group for group in _matching(old, new) if any(shadow.extents[axis] > 1 for axis in group[0])]
    for sources, targets in groups:
        for axis in sources:
            fine[axis] = old[axis]
        for axis in targets:
            extents[axis] = new[axis]
    return Shadow(tuple(extents), spread(shadow, fine).runs)


def coarsened(shadow: Shadow, old: Sequence[int], new: Sequence[int]) -> Shadow:
    """The shadow united over the dimensions that `reshape` would have to store one by one."""
    axes: list[int] = []
    for sources, _ in _matching(old, new):
        varies = {shadow.extents[axis] > 1 for axis in sources if old[axis] > 1}
        axes += sources if len(varies) > 1 else []
    return collapse(shadow, axes)


def collapse(shadow: Shadow, axes: Iterable[int]) -> Shadow:
    """Unite over dimensions: every position gets the sources of all indices along them.

    What is direct at the index with most such sources stays so. Two sources that different indices see directly do not
    get one gradient, and so cannot both count.
    """
    for axis in axes:
        if shadow.extents[axis] > 1:
            shadow = _collapsed(shadow, axis)
    return shadow


def _collapsed(shadow: Shadow, axis: int) -> Shadow:
    count, inner = shadow.extents[axis], prod(shadow.extents[axis + 1 :])
    line = Line(shadow.runs)
    runs: list[Run] = []
    for outer in range(prod(shadow.extents[:axis])):
        start = outer * count * inner
        block = _united_position(line, start, count) if inner == 1 else _united_block(line, start, count, inner)
        for length, strands in block:
            append(runs, length, strands)
    return Shadow(_replaced(shadow.extents, axis, 1), tuple(runs))


def _united_position(line: Line, start: int, count: int) -> Runs:
    runs = tuple(line.pick(start, count))
    most = max((still(strands) for _, strands in runs), key=directs)
    return ((1, united(most, blurred(union_of(runs)))),)


def _united_block(line: Line, start: int, count: int, inner: int) -> Runs:
    blocks: list[Runs] = []
    for number in range(count):
        block = _joined(line.pick(start + number * inner, inner))
        if not blocks or block != blocks[-1]:
            blocks.append(block)
    most = max(blocks, key=lambda block: sum(length * directs(strands) for length, strands in block))
    whole = most
    for block in blocks:
        if block is not most:
            whole = overlaid(whole, _blurred_line(block))
    return whole


def _blurred_line(runs: Runs) -> Runs:
    return _joined((length, blurred(strands)) for length, strands in runs)


def overlay(shadows: Sequence[Shadow], shape: Sequence[int]) -> Shadow:
    """Element by element the union of tensors that broadcast to `shape`."""
    rank = len(shape)
    aligned = [Shadow((1,) * (rank - len(s.extents)) + s.extents, s.runs) for s in shadows if not s.empty]
    if not aligned:
        return constant(rank)
    extents = tuple(max(sizes) for sizes in zip(*(s.extents for s in aligned), strict=True))
    runs = spread(aligned[0], extents).runs
    for other in aligned[1:]:
        runs = overlaid(runs, spread(other, extents).runs)
    return Shadow(extents, runs)


def blur(shadow: Shadow) -> Shadow:
    """The same sources, none of which gets the gradient as it is."""
    return Shadow(shadow.extents, _blurred_line(shadow.runs))


def join(shadows: Sequence[Shadow], sizes: Sequence[int], axis: int) -> Shadow:
    """Concatenate along a dimension; `sizes` are how long each piece is along it."""
    rest = [max(column) for column in zip(*(shadow.extents for shadow in shadows), strict=True)]
    alike = all(shadow.extents[axis] == 1 and shadow.runs == shadows[0].runs for shadow in shadows)
    if alike and len({shadow.extents for shadow in shadows}) == 1:
        return shadows[0]
    pieces = [
        Line(spread(shadow, _replaced(rest, axis, size)).runs) for shadow, size in zip(shadows, sizes, strict=True)
    ]
    inner = prod(rest[axis + 1 :])
    if prod(rest[:axis]) * len(pieces) > FINEST:
        raise TooFine
    runs: list[Run] = []
    for outer in range(prod(rest[:axis])):
        for piece, size in zip(pieces, sizes, strict=True):
            for length, strands in piece.pick(outer * size * inner, size * inner):
                append(runs, length, strands)
            if len(runs) > FINEST:
                raise TooFine
    return Shadow(_replaced(rest, axis, sum(sizes)), tuple(runs))


def _strides(extents: Sequence[int]) -> tuple[int, ...]:
    """Positions from one index to the next in each dimension, 0 where nothing varies."""
    ends = list(accumulate(reversed(extents), lambda a, b: a * b, initial=1))[-2::-1]
    return tuple(0 if extent == 1 else stride for extent, stride in zip(extents, ends, strict=True))


def _replaced(sizes: Sequence[int], axis: int, size: int) -> tuple[int, ...]:
    return (*sizes[:axis], size, *sizes[axis + 1 :])


def _joined(pieces: Iterable[Run]) -> Runs:
    runs: list[Run] = []
    for length, strands in pieces:
        append(runs, length, strands)
    return tuple(runs)


def _strided(runs: Runs, offset: int, extents: Sequence[int], strides: Sequence[int]) -> Runs:
    """The positions offset + sum of index times stride, in row-major order of the indices."""
    dims = _merged_dims(extents, strides)
    if not offset and dims == [(sum(length for length, _ in runs), 1)]:
        return runs
    length, stride = dims.pop() if dims else (1, 1)
    pieces = prod(count for count, _ in dims) * (1 if stride in (0, 1) else length)
    if pieces > FINEST:
        raise TooFine
    line = Line(runs)
    out: list[Run] = []
    for steps in product(*(range(0, count * step, step) if step else [0] * count for count, step in dims)):
        start = offset + sum(steps)
        if stride == 0:
            append(out, length, still(next(line.pick(start, 1))[1]))
        else:
            starts = [(start, length)] if stride == 1 else [(start + n * stride, 1) for n in range(length)]
            for place, count in starts:
                for size, strands in line.pick(place, count):
                    append(out, size, strands)
        if len(out) > FINEST:
            raise TooFine
    return tuple(out)


def _merged_dims(extents: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """(extent, stride) of every dimension larger than 1, neighbours made one where they are evenly spaced."""
    dims: list[tuple[int, int]] = []
    for extent, stride in zip(extents, strides, strict=True):
        if extent == 1:
            continue
        if dims and dims[-1][1] == stride * extent:
            dims[-1] = (dims[-1][0] * extent, stride)
        else:
            dims.append((extent, stride))
    return dims


def _matching(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Smallest groups of neighbouring dimensions of two shapes that hold the same number of elements."""
    sources = [(axis, size) for axis, size in enumerate(old) if size != 1]
    targets = [(axis, size) for axis, size in enumerate(new) if size != 1]
    i = j = 0
    while i < len(sources):
        group, others = [sources[i][0]], [targets[j][0]]
        left, right = sources[i][1], targets[j][1]
        i, j = i + 1, j + 1
        while left != right:
            if left < right:
                group.append(sources[i][0])
                left, i = left * sources[i][1], i + 1
            else:
                others.append(targets[j][0])
                right, j = right * targets[j][1], j + 1
        yield group, others
