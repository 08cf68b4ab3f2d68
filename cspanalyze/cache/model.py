"""The `line-LRU` cache model: bytes between memory and an on-chip cache, for every capacity in one pass over a trace.

Least recently used replacement, write-allocate, write-back, cold start. Deviations from a real cache, all on purpose:
fully associative (16 ways behave much the same for streams), and memory moves in granules of 1 KiB or more instead of
lines of 64 bytes, so that a whole network takes a second; the granule is in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cspanalyze.analyses.traffic import footprint_bytes, moves_nothing
from cspanalyze.cache.distance import Integers, stack_distances
from cspanalyze.cache.kernels import Kernels, Operands, passes
from cspanalyze.cache.memory import Memory
from cspanalyze.cache.walks import Accesses, Stream, interleaved
from cspanalyze.graph import ModelGraph

Concat = Literal["copy", "view"]

CAPACITIES = tuple(size << octave for octave in range(15, 26) for size in (2, 3))[:-1]
"""64 KiB to 64 MiB, two an octave."""
FRAMEWORK_BYTES = 64 * 1024
"""What eager execution itself touches at every operation on a CPU; measured like the rules in `kernels`."""
_MOST_ACCESSES = 1_600_000
_ACCESSES_PER_OPERAND = 4  # of a network's bytes, how often they are walked on average; only sets the granule


@dataclass(frozen=True, slots=True)
class CacheTraffic:
    """Traffic of every operation of a graph at every capacity.

    `fills[op][i]` are the bytes that operation `op` brings into a cache of `capacities[i]` bytes; `write_backs[op][i]`
    the bytes written by it that leave such a cache later. Fills are validated against simulated runs; write-backs are
    model only.
    """

    capacities: tuple[int, ...]
    granule: int
    fills: tuple[tuple[int, ...], ...]
    write_backs: tuple[tuple[int, ...], ...]


def cache_traffic(
    graph: ModelGraph,
    capacities: Sequence[int] = CAPACITIES,
    *,
    kernels: Kernels = "cpu-onednn",
    concat: Concat = "copy",
    granule: int | None = None,
) -> CacheTraffic:
    """Run the forward pass of a graph through caches of all `capacities` (bytes) at once.

    Args:
        graph: a trace; layouts (NCHW, channels-last), batch and weights are as traced.
        capacities: in any order; they come back sorted, each once.
        kernels: `cpu-onednn` walks like eager float32 on a CPU, with its copies and reorders; `ideal` like an
            accelerator that needs none.
        concat: whether a concatenation copies, or joins its inputs for free where they lie.
        granule: bytes that move together; by default the least power of two from 1 KiB on that keeps this fast.
    """
    graph = graph.forward_part
    sizes = tuple(sorted(set(capacities)))
    memory = Memory(graph, granule or _granule(graph))
    runs = [_accesses(index, memory, kernels, concat) for index in range(len(graph.ops))]
    lengths = [len(run.cells) for run in runs]
    cells = np.concatenate([run.cells for run in runs]) if runs else np.empty(0, np.int64)
    if not len(cells):
        nothing = ((0,) * len(sizes),) * len(graph.ops)
        return CacheTraffic(sizes, memory.granule, nothing, nothing)
    owners = np.repeat(np.arange(len(runs)), lengths)
    writes = np.concatenate([run.writes for run in runs])
    times = np.concatenate([run.times for run in runs])
    weights = memory.sizes_of(cells)
    distances = stack_distances(cells, weights)
    fills = _by_capacity(distances, weights * times, owners, len(runs), sizes)
    farthest, writers = _until_rewritten(cells, weights, distances, writes)
    write_backs = _by_capacity(farthest, weights[writers], owners[writers], len(runs), sizes)
    return CacheTraffic(sizes, memory.granule, fills, write_backs)


def _granule(graph: ModelGraph) -> int:
    moved = sum(
        sum(footprint_bytes(graph.spec(value)) for value in (*op.inputs, *op.outputs))
        for op in graph.ops
        if not moves_nothing(op)
    )
    granule = 1024
    while granule * _MOST_ACCESSES < _ACCESSES_PER_OPERAND * moved:
        granule *= 2
    return granule


def _accesses(index: int, memory: Memory, kernels: Kernels, concat: Concat) -> Accesses:
    """What one operation touches, in order."""
    op = memory.graph.ops[index]
    memory.advance(index)
    if moves_nothing(op):
        return interleaved([])
    if op.name == "cat" and concat == "view":
        memory.join(op)
        return interleaved([])
    reads = tuple(memory.cells(value) for value in op.inputs)
    skipped = kernels == "ideal"  # side results that nobody reads, such as the indices of a max pool, are not made
    writes = tuple(
        memory.cells(value) if not (skipped and position and not memory.is_read(value)) else memory.nothing
        for position, value in enumerate(op.outputs)
    )
    framework = [[Stream(memory.library("torch", FRAMEWORK_BYTES))]] if kernels == "cpu-onednn" else []
    walks = passes(Operands(op, memory.graph, reads, writes, memory.scratch, memory.library), kernels)
    memory.drop_scratch()
    return interleaved([*framework, *walks])


def _by_capacity(
    distances: Integers, amounts: Integers, owners: Integers, count: int, capacities: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """For every owner and capacity, the amounts whose distance the capacity cannot hold."""
    # Place of a distance among the capacities = how many of them are too small for it.
    too_small = np.searchsorted(np.array(capacities, np.int64), distances, side="left")
    width = len(capacities) + 1
    flat = np.bincount(owners * width + too_small, weights=amounts, minlength=count * width)
    table = flat.reshape(count, width).astype(np.int64)
    missing = table[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    return tuple(tuple(row) for row in missing.tolist())


def _until_rewritten(
    cells: Integers, weights: Integers, distances: Integers, writes: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[Integers, Integers]:
    """For every write, the largest distance to which the cell's data falls behind until it is written again.

    A dirty cell leaves every cache smaller than that, once. Until the end of the trace for the last write of a cell.
    Returns the distances, and which accesses the writes are.
    """
    count = len(cells)
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    # Behind each access the distance of the next one to the same cell; for the last one that to the end of the trace.
    behind = np.empty(count, np.int64)
    behind[:-1] = distances[order[1:]]
    final = order[last]
    recency = np.argsort(-final, kind="stable")
    to_end = np.empty(len(final), np.int64)
    to_end[recency] = np.cumsum(weights[final[recency]])
    behind[last] = to_end
    starts = np.flatnonzero(writes[order])
    if not len(starts):
        return np.empty(0, np.int64), starts
    # A segment runs from a write to the next write of the cell or to its last access.
    bounds = np.sort(np.unique(np.concatenate([starts, np.flatnonzero(last) + 1])))
    bounds = bounds[bounds < count]
    largest = np.maximum.reduceat(behind, bounds)
    return largest[np.searchsorted(bounds, starts)], order[starts]
