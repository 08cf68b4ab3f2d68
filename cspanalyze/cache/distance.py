"""Stack distances: how much else was touched since the same memory was touched last, for every access of a trace.

Under least-recently-used replacement an access hits in a fully associative cache exactly if its stack distance is at
most the capacity (Mattson et al., IBM Systems Journal 9(2), 1970), so one pass gives every capacity at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max
"""Distance of a first touch: no capacity is large enough."""
_SMALL = 64
"""Accesses whose pairs are compared directly; above, blocks are merged two by two."""


def previous_accesses(cells: Integers) -> Integers:
    """For every access, the index of the one before it to the same cell; -1 if there is none."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    previous = np.full(len(cells), -1, np.int64)
    same = ordered[1:] == ordered[:-1]
    previous[order[1:][same]] = order[:-1][same]
    return previous


def stack_distances(cells: Integers, sizes: Integers) -> Integers:
    """Bytes of distinct cells touched from the previous access to a cell up to this one, the cell itself included.

    Args:
        cells: the cell that each access touches, in order of time.
        sizes: bytes of that cell, at each access.

    Returns:
        One distance an access, `NEVER` for a first touch. O(n log^2 n) time, O(n) memory.
    """
    previous = previous_accesses(cells)
    # Distinct cells between the two are those touched there for the first time since: sum over j < i of the sizes with
    # previous[j] <= previous[i], less everything up to previous[i], all of which fulfils that.
    up_to = np.cumsum(sizes)
    distance = _sums_below(previous, sizes) - up_to[previous] + sizes
    distance[previous < 0] = NEVER
    return distance


def _sums_below(keys: Integers, sizes: Integers) -> Integers:
    """For every i, the sum of `sizes[j]` over j < i with `keys[j] <= keys[i]`, where keys of 0 and more are unique."""
    count = len(keys)
    sums = _within_blocks(keys, sizes)
    by_key = np.argsort(keys, kind="stable")
    shift = _SMALL.bit_length() - 1
    while count >> shift:
        # Elements by pair of neighbouring blocks, inside a pair by key: what lies in the left block and comes before
        # an element of the right one is to be added to it. Small integers are sorted by radix.
        pairs = by_key >> (shift + 1)
        order = by_key[np.argsort(pairs.astype(np.uint16 if count >> shift < 1 << 16 else np.int64), kind="stable")]
        right = (order >> shift) & 1 == 1
        running = np.cumsum(np.where(right, 0, sizes[order]))
        starts = (order >> (shift + 1)) << (shift + 1)  # time at which a pair begins = its rank in `order`
        before = np.where(starts > 0, running[starts - 1], 0)
        sums[order[right]] += (running - before)[right]
        shift += 1
    return sums


def _within_blocks(keys: Integers, sizes: Integers) -> Integers:
    """The same sums over j in the block of `_SMALL` accesses that i lies in."""
    count = len(keys)
    padded = -(-count // _SMALL) * _SMALL
    blocked = np.full(padded, NEVER, np.int64)
    blocked[:count] = keys
    amounts = np.zeros(padded, np.int64)
    amounts[:count] = sizes
    blocks, weights = blocked.reshape(-1, _SMALL), amounts.reshape(-1, _SMALL)
    sums = np.zeros_like(blocks)
    for earlier in range(_SMALL - 1):
        later = slice(earlier + 1, None)
        smaller = blocks[:, earlier, None] <= blocks[:, later]
        sums[:, later] += np.where(smaller, weights[:, earlier, None], 0)
    return sums.reshape(-1)[:count]
