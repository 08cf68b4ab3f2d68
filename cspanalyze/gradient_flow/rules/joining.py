"""Operators that put tensors side by side or take them apart: concatenation, padding, halves that meet."""

from __future__ import annotations

from collections.abc import Sequence

from cspanalyze.gradient_flow.rules.registry import Passage, rule
from cspanalyze.gradient_flow.shadows import Shadow, TooFine, blur, collapse, constant, join, overlay, reorder, take


@rule("cat", "concat", "concatenate")
def concatenated(call: Passage) -> Shadow:
    """Pieces side by side; torch lets an empty one-dimensional tensor stand among them."""
    specs = call.tensors(0, "tensors")
    rank = len(call.out.shape)
    present = [n for n, spec in enumerate(specs) if len(spec.shape) == rank]
    axis = call.axis(1, rank=rank)
    shadows = call.shadows(0, "tensors")
    return _joined(call, [shadows[n] for n in present], [specs[n].shape[axis] for n in present], axis)


@rule("stack")
def stacked(call: Passage) -> Shadow:
    """Tensors side by side along a new dimension."""
    rank = len(call.out.shape)
    axis = call.axis(1, rank=rank)
    order: list[int | None] = list(range(rank - 1))
    order.insert(axis, None)
    shadows = [reorder(shadow, order) for shadow in call.shadows(0, "tensors")]
    return _joined(call, shadows, [1] * len(shadows), axis)


def _joined(call: Passage, shadows: Sequence[Shadow], sizes: Sequence[int], axis: int) -> Shadow:
    """Concatenate; where the pieces would get too many, they are united instead: no gradient is then the same."""
    try:
        return join(shadows, sizes, axis)
    except TooFine:
        call.coarse = True
        flat = [collapse(shadow, [axis]) for shadow in shadows]
        shape = [max(sizes) for sizes in zip(*(shadow.extents for shadow in flat), strict=True)]
        return blur(overlay(flat, shape))


@rule("constant_pad_nd", "pad")
def padded(call: Passage) -> Shadow:
    """A border without sources.

    Around a map in which nothing varies it is not told apart from the inside, since every channel is read as a whole;
    along the channels it is.
    """
    shadow, shape = call.shadow(0, "self"), call.inputs[0].shape
    borders = call.argument(1, "pad", ())
    amounts = [item for item in borders if isinstance(item, int)] if isinstance(borders, tuple) else []
    sides = {len(shape) - 1 - n: amounts[2 * n : 2 * n + 2] for n in range(len(amounts) // 2)}
    sides = {axis: side for axis, side in sides.items() if any(side)}
    for axis, (before, after) in sides.items():
        channels_alone = axis < 2 and len(sides) == 1
        if shadow.extents[axis] > 1 or shape[axis] == 1 or channels_alone:
            shadow = _with_border(call, shadow, axis, shape[axis], before, after)
    return shadow


def _with_border(call: Passage, shadow: Shadow, axis: int, size: int, before: int, after: int) -> Shadow:
    """Pad, or crop where an amount is negative."""
    start, stop = max(0, -before), size - max(0, -after)
    empty = constant(len(shadow.extents))
    sizes = [max(0, before), stop - start, max(0, after)]
    pieces = [empty, take(shadow, axis, start, 1, stop - start), empty]
    return _joined(call, [p for p, n in zip(pieces, sizes, strict=True) if n], [n for n in sizes if n], axis)


@rule("glu")
def gated(call: Passage) -> Shadow:
    """One half of the channels times a sigmoid of the other."""
    axis = call.axis(1, default=-1)
    half = call.inputs[0].shape[axis] // 2
    shadow = call.shadow(0, "self")
    if shadow.extents[axis] == 1:
        return shadow
    halves = [take(shadow, axis, start, 1, half) for start in (0, half)]
    united = overlay(halves, call.out.shape)
    return blur(united) if halves[0].everything != halves[1].everything else united
