"""`may_overlap` is never wrong in the dangerous direction: checked against the elements themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cspanalyze.graph import TensorSpec
from cspanalyze.tracing.regions import may_overlap


def addresses(spec: TensorSpec) -> set[int]:
    found = {spec.offset}
    for size, stride in zip(spec.shape, spec.strides, strict=True):
        found = {base + i * stride for base in found for i in range(size)}
    return found if 0 not in spec.shape else set()


@st.composite
def slices_of_one_tensor(draw):
    shape = draw(st.tuples(*[st.integers(1, 5)] * 3))
    strides = (shape[1] * shape[2], shape[2], 1)
    specs = []
    for _ in range(2):
        starts = [draw(st.integers(0, n - 1)) for n in shape]
        sizes = [draw(st.integers(0, n - start)) for n, start in zip(shape, starts, strict=True)]
        offset = sum(start * stride for start, stride in zip(starts, strides, strict=True))
        specs.append(TensorSpec(tuple(sizes), "float32", strides, 0, offset))
    return specs


@given(slices_of_one_tensor())
def test_a_claim_of_no_overlap_is_true(specs) -> None:
    a, b = specs
    if not may_overlap(a, b):
        assert not addresses(a) & addresses(b)


def test_channel_halves_of_a_batch_are_disjoint() -> None:
    first = TensorSpec((2, 4, 3, 3), "float32", (72, 9, 3, 1), 0, 0)
    second = TensorSpec((2, 4, 3, 3), "float32", (72, 9, 3, 1), 0, 36)
    assert not may_overlap(first, second)
    assert may_overlap(first, first)
