"""Operators that move elements: the shadow moves along, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from cspanalyze.gradient_flow.rules.registry import Passage, rule
from cspanalyze.gradient_flow.shadows import FINEST, Shadow, TooFine, coarsened, collapse, join, reorder, reshape, take
from cspanalyze.graph import Argument


@rule(
    "view", "reshape", "_unsafe_view", "_reshape_alias", "_reshape_copy", "_reshape_alias_copy", "view_copy", "flatten",
    "unflatten", "squeeze", "unsqueeze", "squeeze_copy", "unsqueeze_copy",
)  # fmt: skip
def reshaped(call: Passage) -> Shadow:
    """The same elements in row-major order. Another dtype's view (`view.dtype`) keeps them only at equal size."""
    old, new = call.inputs[0].shape, call.made()[0].shape
    if call.inputs[0].itemsize != call.made()[0].itemsize:
        raise TooFine
    return regrouped(call, call.shadow(0, "self"), old, new)


def regrouped(call: Passage, shadow: Shadow, old: Sequence[int], new: Sequence[int]) -> Shadow:
    """Reshape; where the pieces would get too many, the dimensions that are merged are united first."""
    try:
        return reshape(shadow, old, new)
    except TooFine:
        call.coarse = True
        return reshape(coarsened(shadow, old, new), old, new)


@rule("permute_copy", "transpose_copy", "t_copy")
def permuted(call: Passage) -> Shadow:
    """Dimensions in another order."""
    rank = len(call.inputs[0].shape)
    order = list(range(rank))
    if call.op.name == "permute_copy":
        order = list(call.axes(1, "dims"))
    elif rank > 1:
        first, second = (0, 1) if call.op.name == "t_copy" else (call.axis(1, "dim0"), call.axis(2, "dim1"))
        order[first], order[second] = second, first
    return reorder(call.shadow(0, "self"), order)


@rule("unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "split_copy", "split_with_sizes_copy", "tensor_split")
def split(call: Passage) -> list[Shadow]:
    """Neighbouring pieces along one dimension."""
    axis = call.axis(2)
    sizes = [spec.shape[axis] for spec in call.made()]
    starts = accumulate(sizes[:-1], initial=0)
    shadow = call.shadow(0, "self")
    return [take(shadow, axis, start, 1, size) for start, size in zip(starts, sizes, strict=True)]


@rule("unbind_copy")
def unbound(call: Passage) -> list[Shadow]:
    """The indices of one dimension one by one."""
    axis, rank = call.axis(1), len(call.inputs[0].shape)
    others = [other for other in range(rank) if other != axis]
    return [reorder(take(call.shadow(0, "self"), axis, n, 1, 1), others) for n in range(len(call.made()))]


@rule("roll")
def rolled(call: Passage) -> Shadow:
    """Rotation along dimensions; without any, of the flat tensor."""
    shadow, shape = call.shadow(0, "self"), call.inputs[0].shape
    shifts = _integers(call.argument(1, "shifts"))
    axes = call.axes(2, "dims") if call.argument(2, "dims") else ()
    if not axes:
        raise TooFine
    for axis, shift in zip(axes, shifts, strict=True):
        size = shape[axis]
        cut = (size - shift) % size if size else 0
        if cut and shadow.extents[axis] > 1:
            pieces = [take(shadow, axis, cut, 1, size - cut), take(shadow, axis, 0, 1, cut)]
            shadow = join(pieces, [size - cut, cut], axis)
    return shadow


@rule("flip")
def flipped(call: Passage) -> Shadow:
    """Dimensions backwards."""
    shadow = call.shadow(0, "self")
    for axis in call.axes(1, "dims"):
        shadow = take(shadow, axis, call.inputs[0].shape[axis] - 1, -1, call.inputs[0].shape[axis])
    return shadow


@rule("repeat", "tile")
def repeated(call: Passage) -> Shadow:
    """Copies side by side."""
    shadow, shape, made = call.shadow(0, "self"), call.inputs[0].shape, call.made()[0].shape
    missing = len(made) - len(shape)
    shadow = reorder(shadow, [None] * missing + list(range(len(shape))))
    sizes = (*[1] * missing, *shape)
    for axis, (size, total) in enumerate(zip(sizes, made, strict=True)):
        if shadow.extents[axis] > 1 and total > size:
            shadow = join([shadow] * (total // size), [size] * (total // size), axis)
    return shadow


@rule("pixel_shuffle", "pixel_unshuffle")
def pixels_shuffled(call: Passage) -> Shadow:
    """(.., C r r, H, W) <-> (.., C, H r, W r); where too fine, united over the r x r positions."""
    spec, made = call.inputs[0], call.made()[0]
    *lead, channels, height, width = spec.shape
    found = call.argument(1, "upscale_factor")
    r = found if isinstance(found, int) else 1
    n = len(lead)
    shadow = call.shadow(0, "self")
    if call.op.name == "pixel_shuffle":
        parts = [*lead, channels // (r * r), r, r, height, width]
        order = [*range(n), n, n + 3, n + 1, n + 4, n + 2]
        call.coarse = channels // r * height * width > FINEST
        merged = [n + 1, n + 2] if call.coarse else []
    else:
        parts = [*lead, channels, height // r, r, width // r, r]
        order = [*range(n), n, n + 2, n + 4, n + 1, n + 3]
        merged = []
    # In the larger map the r x r positions vary along height and width, which before were one position each.
    cells = collapse(regrouped(call, shadow, spec.shape, parts), merged)
    return regrouped(call, reorder(cells, order), [parts[axis] for axis in order], made.shape)


@rule("channel_shuffle", "native_channel_shuffle")
def channels_shuffled(call: Passage) -> Shadow:
    """(N, g c, ..) -> (N, c g, ..): the channels of the groups interleaved."""
    shape = call.inputs[0].shape
    found = call.argument(1, "groups")
    groups = found if isinstance(found, int) else 1
    parts = [shape[0], groups, shape[1] // groups, *shape[2:]]
    order = [0, 2, 1, *range(3, len(parts))]
    cells = reorder(reshape(call.shadow(0, "self"), shape, parts), order)
    return reshape(cells, [parts[axis] for axis in order], shape)


@rule("im2col")
def unfolded(call: Passage) -> Shadow:
    """(N, C, H, W) -> (N, C k k, L): each channel repeated for every position of the window."""
    shape, made = call.inputs[0].shape, call.made()[0].shape
    shadow = collapse(call.shadow(0, "self"), range(len(shape) - 2, len(shape)))
    lead, channels = shape[:-3], shape[-3]
    return reshape(shadow, (*lead, channels, made[-2] // channels, made[-1]), made)


@rule("col2im")
def folded(call: Passage) -> Shadow:
    """(N, C k k, L) -> (N, C, H, W): each channel united over the window, whose positions are added up."""
    shape, made = call.inputs[0].shape, call.made()[0].shape
    parts = (*shape[:-2], made[-3], shape[-2] // made[-3], shape[-1])
    cells = reshape(call.shadow(0, "self"), shape, parts)
    return collapse(cells, range(len(parts) - 2, len(parts)))


def _integers(argument: Argument) -> list[int]:
    if isinstance(argument, int):
        return [argument]
    return [item for item in argument if isinstance(item, int)] if isinstance(argument, tuple) else []
