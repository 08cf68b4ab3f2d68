"""How an operator walks through its operands: streams of cells that advance side by side, one pass after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cspanalyze.cache.distance import Integers


class Stream(NamedTuple):
    """Cells in the order in which one operand is walked; `times` is how many equal passes it stands for."""

    cells: Integers
    write: bool = False
    times: int = 1


Pass = Sequence[Stream]


@dataclass(frozen=True)
class Accesses:
    """Accesses in order of time: the cell, whether it is written, and how many equal ones it stands for."""

    cells: Integers
    writes: np.ndarray[tuple[int], np.dtype[np.bool_]]
    times: Integers


def interleaved(passes: Sequence[Pass]) -> Accesses:
    """The accesses of an operator: inside a pass all streams advance in lockstep, from first cell to last."""
    cells, writes, times, moments = [], [], [], []
    start = 0.0
    for streams in passes:
        for stream in streams:
            count = len(stream.cells)
            if count:
                cells.append(stream.cells)
                writes.append(np.full(count, stream.write))
                times.append(np.full(count, stream.times, np.int64))
                moments.append(start + (np.arange(count) + 0.5) / count)
        start += 1.0
    if not cells:
        empty = np.empty(0, np.int64)
        return Accesses(empty, np.empty(0, np.bool_), empty)
    order = np.argsort(np.concatenate(moments), kind="stable")
    return Accesses(np.concatenate(cells)[order], np.concatenate(writes)[order], np.concatenate(times)[order])


def repeated(whole: Integers, parts: Integers, results: Integers, blocks: int) -> Iterator[Pass]:
    """A walk in `blocks` equal passes: each streams `whole` again beside its own share of `parts` and `results`.

    From the third pass on everything repeats, so that one pass stands for the rest of them; their shares of `parts` and
    `results`, which are walked once, follow it.
    """
    shown = min(blocks, 3)
    for block in range(shown):
        times = blocks - 2 if block == 2 else 1
        yield [
            Stream(_share(parts, block, blocks)),
            Stream(whole, times=times),
            Stream(_share(results, block, blocks), True),
        ]
    if blocks > shown:
        rest = slice(-(-len(parts) * shown // blocks), None), slice(-(-len(results) * shown // blocks), None)
        yield [Stream(parts[rest[0]]), Stream(results[rest[1]], True)]


def _share(cells: Integers, block: int, blocks: int) -> Integers:
    """The part of some cells that belongs to a block; blocks smaller than a cell share it."""
    return cells[len(cells) * block // blocks : -(-len(cells) * (block + 1) // blocks)]
