"""Where a view lies in its base: index by index, from the two memory layouts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cspanalyze.gradient_flow.shadows import Shadow, join, reorder, take
from cspanalyze.graph import TensorSpec


class Range(NamedTuple):
    """The indices of one dimension of the base that a view holds, and the dimension of the view that runs over them.

    `axis` is None where the view has no such dimension: a single index, or one of size 1.
    """

    start: int
    step: int
    size: int
    axis: int | None


def placement(base: TensorSpec, view: TensorSpec) -> tuple[Range, ...] | None:
    """For every dimension of `base` the indices that `view` holds.

    None where the view is no box of (evenly spaced) indices: it merges or splits dimensions, is a diagonal, repeats
    elements, or reaches outside of the base.
    """
    if base.storage != view.storage or base.itemsize != view.itemsize or 0 in base.shape or 0 in view.shape:
        return None
    axes = sorted(
        (a for a, size in enumerate(base.shape) if size > 1 and base.strides[a]), key=lambda a: -base.strides[a]
    )
    repeated = [axis for axis, size in enumerate(base.shape) if size > 1 and not base.strides[axis]]
    starts = dict.fromkeys(range(len(base.shape)), 0)
    rest = view.offset - base.offset
    for axis in axes:
        if rest >= 0:
            starts[axis], rest = divmod(rest, base.strides[axis])
    if rest or any(starts[axis] >= base.shape[axis] for axis in axes):
        return None
    ranges = {axis: Range(start, 1, 1, None) for axis, start in starts.items()}
    for own, (size, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
        if size > 1 and stride == 0 and repeated:  # one element many times: which index it has makes no difference
            ranges[repeated.pop(0)] = Range(0, 1, size, own)
        elif size > 1:
            found = next((a for a in axes if _holds(base, a, starts[a], size, stride)), None)
            if found is None:
                return None
            ranges[found] = Range(starts[found], stride // base.strides[found], size, own)
            axes.remove(found)
    return tuple(ranges[axis] for axis in range(len(base.shape)))


def _holds(base: TensorSpec, axis: int, start: int, size: int, stride: int) -> bool:
    own = base.strides[axis]
    return stride >= own and stride % own == 0 and start + stride // own * (size - 1) < base.shape[axis]


def viewed(shadow: Shadow, box: Sequence[Range], rank: int) -> Shadow:
    """The shadow of the view, which has `rank` dimensions."""
    axes: list[int | None] = [None] * rank
    for axis, place in enumerate(box):
        shadow = take(shadow, axis, place.start, place.step, place.size)
        if place.axis is not None:
            axes[place.axis] = axis
    return reorder(shadow, axes)


def pasted(base: Shadow, shape: Sequence[int], patch: Shadow, box: Sequence[Range]) -> Shadow:
    """The shadow of a base of that shape after `patch` was written through the view at `box`."""
    return _pasted(base, shape, reorder(patch, [place.axis for place in box]), box, 0)


def _pasted(base: Shadow, shape: Sequence[int], patch: Shadow, box: Sequence[Range], axis: int) -> Shadow:
    if axis == len(shape):
        return patch
    place = box[axis]
    if place.size == shape[axis]:
        return _pasted(base, shape, patch, box, axis + 1)
    whole = place.step == 1
    pieces: list[Shadow] = []
    sizes: list[int] = []
    reached = 0
    for number in range(1 if whole else place.size):
        start = place.start + number * place.step
        size = place.size if whole else 1
        own = patch if whole else take(patch, axis, number, 1, 1)
        inside = _pasted(
            take(base, axis, start, 1, size), (*shape[:axis], size, *shape[axis + 1 :]), own, box, axis + 1
        )
        pieces += [take(base, axis, reached, 1, start - reached), inside] if start > reached else [inside]
        sizes += [start - reached, size] if start > reached else [size]
        reached = start + size
    if reached < shape[axis]:
        pieces.append(take(base, axis, reached, 1, shape[axis] - reached))
        sizes.append(shape[axis] - reached)
    return join(pieces, sizes, axis)
