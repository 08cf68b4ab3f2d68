"""Where the storages of a trace lie, and which cells of memory a tensor covers.

A *cell* is what the cache model moves as one: a granule of consecutive bytes, or in a storage that is read in parts
(the halves of every pixel of a channels-last map) one part of the rows that fill a granule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cspanalyze.cache.distance import Integers
from cspanalyze.graph import ModelGraph, OpNode, TensorSpec

LINE = 64
"""Bytes of a cache line."""
_APART = 1 << 40
"""Number of the first cell that is no granule of the heap."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a tensor in its storage: `rows` runs of `width` bytes, each `pitch` behind the one before."""

    offset: int
    rows: int
    pitch: int
    width: int

    @property
    def end(self) -> int:
        """Behind the last byte."""
        return self.offset + (self.rows - 1) * self.pitch + self.width


def span(spec: TensorSpec) -> Span:
    """The bytes of a tensor, which may be dense, a slice of channels, or sparse.

    Of a tensor with gaps on several levels (`x[:, :, ::2, ::2]`) the outermost level is kept, and gaps inside a row are
    covered: between elements of one line there is nothing to save, above that the bytes are too many.
    """
    size = spec.itemsize
    levels = sorted(
        ((stride, n) for stride, n in zip(spec.strides, spec.shape, strict=True) if n > 1 and stride), reverse=True
    )
    merged: list[list[int]] = []  # [stride, count], outermost first
    for stride, count in levels:
        if merged and merged[-1][0] == stride * count:
            merged[-1] = [stride, merged[-1][1] * count]
        else:
            merged.append([stride, count])
    offset = spec.offset * size
    if not merged:
        return Span(offset, 1, size, size)
    inner = merged[1:] if len(merged) > 1 else merged
    width = (sum(stride * (count - 1) for stride, count in inner) + 1) * size
    if len(merged) == 1:
        return Span(offset, 1, width, width)
    stride, rows = merged[0]
    pitch = stride * size
    if pitch - width < LINE and merged[0][0] > 0:  # no line lies between two rows
        return Span(offset, 1, (rows - 1) * pitch + width, (rows - 1) * pitch + width)
    return Span(offset, rows, pitch, width)


@dataclass(frozen=True)
class Block:
    """Cells of one storage: `rows` of `pitch` bytes in chunks of `chunk` rows, each cut at `edges`.

    Cell numbers run from `first`, chunk by chunk, edge by edge. `address` is its first byte on the heap.
    """

    first: int
    nbytes: int
    pitch: int
    chunk: int
    edges: tuple[int, ...]
    address: int = 0

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return max(1, -(-self.nbytes // (self.pitch * self.chunk)))

    @property
    def parts(self) -> int:
        """Cells of one chunk."""
        return len(self.edges) - 1

    @cached_property
    def all(self) -> Integers:
        """Every cell, in the order of addresses."""
        return np.arange(self.first, self.first + self.chunks * self.parts, dtype=np.int64)

    def sizes(self) -> Integers:
        """Bytes of every cell, in the order of `all`."""
        rows = np.full(self.chunks, self.chunk * self.pitch, np.int64)
        rows[-1] = self.nbytes - (self.chunks - 1) * self.chunk * self.pitch
        widths: Integers = np.array(self.edges[1:], np.int64) - np.array(self.edges[:-1], np.int64)
        if self.parts == 1:
            return rows
        return (rows[:, None] * widths[None, :] // self.pitch).reshape(-1)

    def cells(self, part: Span) -> Integers:
        """The cells that hold some of the bytes of a tensor in this storage, in the order of addresses."""
        if self.parts == 1:
            step = self.pitch * self.chunk
            if part.rows == 1 or part.pitch <= step:
                first, last = part.offset // step, max(part.offset, part.end - 1) // step
                return self.all[first : last + 1]
            starts = part.offset + part.pitch * np.arange(part.rows)
            lengths = (starts + part.width - 1) // step - starts // step + 1
            runs = [self.all[s : s + n] for s, n in zip((starts // step).tolist(), lengths.tolist(), strict=True)]
            return np.unique(np.concatenate(runs))
        step = self.pitch * self.chunk
        grid = self.all.reshape(self.chunks, self.parts)
        first, last = part.offset // step, max(part.offset, part.end - 1) // step
        if part.width > self.pitch or (part.rows > 1 and part.pitch != self.pitch):
            return grid[first : last + 1].reshape(-1)
        start = part.offset % self.pitch
        low, high = np.searchsorted(self.edges, (start, start + part.width))
        return grid[first : last + 1, max(0, low if low < self.parts else 0) : max(low + 1, high)].reshape(-1)


class Heap:
    """Byte addresses for blocks of memory, as the GNU C library finds them for torch: aligned to 64 bytes, best fit.

    Of the gaps the smallest that is large enough is taken, the oldest of equal ones, else memory at the end. Two gaps
    side by side stay two, since small objects lie between tensors (what `posix_memalign` cuts off on both sides goes to
    them); only what lies at the end joins it again. Small objects themselves are left out.
    """

    _ALIGNMENT, _HEADER = 64, 16
    _SMALL = 1032
    """Bytes up to which freed memory is kept for small objects (`tcache_max_bytes` in malloc.c)."""

    def __init__(self) -> None:
        self.reach = 0
        self._end = 0
        self._gaps: list[tuple[int, int]] = []  # (start, length), in the order in which they became free

    def take(self, nbytes: int) -> int:
        """The first byte of a free block."""
        size = self._size(nbytes)
        fitting = [at for at, (_, room) in enumerate(self._gaps) if room >= size]
        if fitting:
            start, room = self._gaps.pop(min(fitting, key=lambda at: self._gaps[at][1]))
            self._keep(start + size, room - size)
            return start
        start, self._end = self._end, self._end + size
        self.reach = max(self.reach, self._end)
        return start

    def give(self, start: int, nbytes: int) -> None:
        """Free a block."""
        size = self._size(nbytes)
        if start + size == self._end:
            self._end = start
        else:
            self._keep(start, size)

    def _keep(self, start: int, room: int) -> None:
        if room > self._SMALL:
            self._gaps.append((start, room))

    def _size(self, nbytes: int) -> int:
        return -(-(nbytes + self._HEADER) // self._ALIGNMENT) * self._ALIGNMENT


class Memory:
    """The cells of every value of a graph while its operations run one after another.

    Storages get addresses from a `Heap` when they are allocated and give them back when they die; two that meet inside
    a granule share it. A storage that is read in parts lies apart from all others, at addresses that are never used
    again.
    """

    def __init__(self, graph: ModelGraph, granule: int) -> None:
        self.graph = graph
        self.granule = granule
        self.nothing: Integers = np.empty(0, np.int64)
        self._heap = Heap()
        self._dense_blocks: list[Block] = []
        self._apart = _APART
        self._apart_blocks: list[Block] = []
        self._blocks: dict[int, Block] = {}
        self._cells: dict[int, Integers] = {}
        self._joined: dict[int, Integers] = {}
        self._scratch: list[Block] = []
        self._libraries: dict[str, Block] = {}
        self._grids = _grids(graph, granule)
        self._deaths: dict[int, list[int]] = {}
        for storage in graph.storages:
            if storage.alloc < 0:  # weights and inputs are there before the first operation frees anything
                self._blocks[storage.index] = self._placed(storage.index)
            if storage.free is not None:
                self._deaths.setdefault(storage.free, []).append(storage.index)

    def advance(self, op: int) -> None:
        """Give back what is gone when operation `op` runs."""
        for storage in self._deaths.pop(op, ()):
            block = self._blocks.pop(storage, None)
            if block is not None and block.first < _APART:
                self._heap.give(block.address, block.nbytes)

    def cells(self, value: int) -> Integers:
        """The cells of a value."""
        spec = self.graph.spec(value)
        if spec.numel == 0:
            return self.nothing
        joined = self._joined.get(spec.storage)
        part = span(spec)
        if joined is not None:
            return _portion(joined, part, self.graph.storages[spec.storage].nbytes)
        block = self._blocks.get(spec.storage)
        if block is None:
            block = self._blocks[spec.storage] = self._placed(spec.storage)
        return block.cells(part)

    def scratch(self, nbytes: int) -> Integers:
        """Cells of memory that the current operation uses for itself."""
        block = self._dense(nbytes)
        self._scratch.append(block)
        return block.all

    def drop_scratch(self) -> None:
        """Give all scratch memory back."""
        for block in self._scratch:
            self._heap.give(block.address, block.nbytes)
        self._scratch = []

    def library(self, name: str, nbytes: int) -> Integers:
        """The cells that a library keeps for itself, the same at every call until it needs more."""
        block = self._libraries.get(name)
        if block is None or block.nbytes < nbytes:
            if block is not None:
                self._heap.give(block.address, block.nbytes)
            block = self._libraries[name] = self._dense(nbytes)
        return block.all[: -(-nbytes // self.granule)]

    def join(self, op: OpNode) -> None:
        """Let the output of a concatenation be its inputs, where they lie."""
        cells = [self.cells(value) for value in op.inputs]
        self._joined[self.graph.spec(op.outputs[0]).storage] = np.concatenate([self.nothing, *cells])

    def is_read(self, value: int) -> bool:
        """Whether anybody reads a value."""
        return bool(self.graph.consumers[value]) or value in self.graph.outputs

    def sizes_of(self, cells: Integers) -> Integers:
        """Bytes of some cells; a granule that several storages used in turn has those of the fullest."""
        sizes = np.zeros(self._heap.reach // self.granule + 2, np.int64)
        for block in self._dense_blocks:
            part = sizes[block.first : block.first + block.chunks]
            np.maximum(part, block.sizes(), out=part)
        apart = np.concatenate([self.nothing, *(block.sizes() for block in self._apart_blocks)])
        known = np.where(cells < _APART, 0, cells - _APART)
        if not len(apart):
            return sizes[cells]
        return np.where(cells < _APART, sizes[np.where(cells < _APART, cells, 0)], apart[known])

    def _placed(self, storage: int) -> Block:
        nbytes = max(1, self.graph.storages[storage].nbytes)
        grid = self._grids.get(storage)
        if grid is None:
            return self._dense(nbytes)
        pitch, edges = grid
        block = Block(self._apart, nbytes, pitch, max(1, self.granule // pitch), edges)
        self._apart += block.chunks * block.parts
        self._apart_blocks.append(block)
        return block

    def _dense(self, nbytes: int) -> Block:
        nbytes = max(1, nbytes)
        address = self._heap.take(nbytes)
        block = Block(address // self.granule, nbytes, self.granule, 1, (0, self.granule), address)
        self._dense_blocks.append(block)
        return block


def _grids(graph: ModelGraph, granule: int) -> dict[int, tuple[int, tuple[int, ...]]]:
    """Pitch and edges of the storages in which tensors cover runs shorter than a granule, by storage."""
    found: dict[int, tuple[int, set[int]]] = {}
    for value in graph.values:
        part = span(value.spec)
        if part.rows > 1 and part.width < granule:
            pitch, edges = found.setdefault(value.spec.storage, (part.pitch, {0, part.pitch}))
            start = part.offset % pitch
            if part.pitch == pitch and start + part.width <= pitch:
                edges |= {start, start + part.width}
    return {storage: (pitch, tuple(sorted(edges))) for storage, (pitch, edges) in found.items()}


def _portion(cells: Integers, part: Span, nbytes: int) -> Integers:
    """The share of joined tensors that a slice of them covers: along the pitch if it has one, else along the whole."""
    length = part.pitch if part.rows > 1 else max(1, nbytes)
    start = part.offset % length
    count = len(cells)
    return cells[count * start // length : max(count * start // length + 1, -(-count * (start + part.width) // length))]
