"""Whether two tensors of one storage can share an element, from their layouts alone."""

from __future__ import annotations

from cspanalyze.graph import TensorSpec


def may_overlap(a: TensorSpec, b: TensorSpec) -> bool:
    """True unless the two layouts provably touch different elements of the storage.

    Proof by interval (their address ranges do not meet) or, for equal strides, by dimension (the difference of the
    offsets decomposes into index steps, one of which is at least the extent: two channel slices of one tensor).
    """
    if 0 in a.shape or 0 in b.shape:
        return False
    if _last(a) < b.offset or _last(b) < a.offset:
        return False
    if a.strides != b.strides or a.itemsize != b.itemsize:
        return True
    low, high = (a, b) if a.offset <= b.offset else (b, a)
    difference = high.offset - low.offset
    for dim in sorted(range(len(a.strides)), key=lambda i: -a.strides[i]):
        stride = a.strides[dim]
        if stride == 0:
            continue
        steps, difference = divmod(difference, stride)
        if steps >= low.shape[dim] and _inside(high, dim, steps):
            return False
    return True


def _last(spec: TensorSpec) -> int:
    return spec.offset + sum((size - 1) * stride for size, stride in zip(spec.shape, spec.strides, strict=True))


def _inside(spec: TensorSpec, dim: int, steps: int) -> bool:
    """Whether index `steps` and the extent after it stay within one period of the next larger stride."""
    larger = [stride for stride in spec.strides if stride > spec.strides[dim]]
    return not larger or (steps + spec.shape[dim]) * spec.strides[dim] <= min(larger)
