"""Stack distances against a list that is kept in order of use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cspanalyze.cache.distance import NEVER, stack_distances

ACCESSES = st.lists(st.integers(0, 40), min_size=1, max_size=400)


def by_hand(cells: list[int], sizes: list[int]) -> list[int]:
    stack: list[int] = []
    found = []
    for cell in cells:
        if cell in stack:
            depth = stack.index(cell)
            found.append(sum(sizes[other] for other in stack[: depth + 1]))
            stack.remove(cell)
        else:
            found.append(NEVER)
        stack.insert(0, cell)
    return found


@settings(deadline=None, max_examples=60)
@given(cells=ACCESSES, seed=st.integers(0, 9))
def test_any_trace(cells: list[int], seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(1, 100, 41)
    accesses = np.array(cells, np.int64)
    assert stack_distances(accesses, sizes[accesses]).tolist() == by_hand(cells, sizes.tolist())


@pytest.mark.parametrize("count", [63, 64, 65, 1_000])
def test_many_blocks(count: int) -> None:
    cells = np.random.default_rng(count).integers(0, 90, count)
    assert stack_distances(cells, np.ones(count, np.int64)).tolist() == by_hand(cells.tolist(), [1] * 90)
