"""Which walks the kernels of an operator make: the rules of the cache model, by kernel profile.

The rules were found by counting the cache misses of single operators, each on a cold cache, and are about kinds of
kernels; none knows a network. They are for `float32` on one core of an x86-64 CPU with oneDNN and MKL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

from cspanalyze.cache.distance import Integers
from cspanalyze.cache.walks import Pass, Stream, repeated
from cspanalyze.graph import ModelGraph, OpNode, TensorSpec

Kernels = Literal["cpu-onednn", "ideal"]

CHANNEL_BLOCK = 32
"""Output channels of one pass of a direct convolution over its input: four registers of eight floats (AVX)."""
THIN_ROWS, THIN_BLOCK = 64, 16
"""A matrix product of at most so many rows streams all of them once per so many output columns if unaligned;"""
ALIGNED_ROWS = 4
"""if the number of rows is a multiple of this (16 bytes), it packs them."""
DEPTH_BLOCK, WIDTH_BLOCK, PANEL = 256, 384, 32
"""Other matrix products pack one operand in blocks of depth x width, and stream a block once per panel of the other."""
DIRECT_BYTES, PRODUCT_BYTES = 128 * 1024, 64 * 1024
"""What oneDNN and MKL touch at every call beside the operands: descriptors, caches of primitives, tables."""
SMALL_INPUT = 20_480
"""Inputs of at most so many elements go the way of the matrix product (`ConvParams::use_mkldnn` in torch)."""
PLAIN_CHANNELS = 4
"""With fewer input channels than this a convolution reads them as they lie."""


@dataclass(frozen=True)
class Operands:
    """One operation with the cells of its tensors: `reads` one for each input, `writes` one for each output.

    `scratch(bytes)` gives cells of memory that is free again when the operation is over; `library(bytes)` those that a
    library keeps for itself between calls.
    """

    op: OpNode
    graph: ModelGraph
    reads: tuple[Integers, ...]
    writes: tuple[Integers, ...]
    scratch: Callable[[int], Integers]
    library: Callable[[str, int], Integers]

    def input(self, position: int) -> TensorSpec:
        """Layout of an input."""
        return self.graph.spec(self.op.inputs[position])

    @property
    def output(self) -> TensorSpec:
        """Layout of the first output."""
        return self.graph.spec(self.op.outputs[0])


def passes(operands: Operands, kernels: Kernels) -> list[Pass]:
    """The walks of one operation, in order."""
    name = operands.op.name
    if name in _CONVOLUTIONS and len(operands.reads) >= 2:
        return list(_ideal_convolution(operands) if kernels == "ideal" else _cpu_convolution(operands))
    if name in ("linear", "addmm", "mm") and len(operands.reads) >= 2:
        return list(_linear(operands))
    if name == "cat":
        return list(_concatenation(operands))
    return [_side_by_side(operands)]


_CONVOLUTIONS = frozenset(
    {"conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}
)


def _side_by_side(operands: Operands) -> Pass:
    """Everything once, in lockstep; what is written where it was read is one stream."""
    written = [cells for cells in operands.writes if len(cells)]
    keys = {(int(cells[0]), len(cells)) for cells in written}
    read = {(int(cells[0]), len(cells)): cells for cells in operands.reads if len(cells)}
    return [
        *(Stream(cells) for key, cells in read.items() if key not in keys),
        *(Stream(cells, True) for cells in written),
    ]


def _concatenation(operands: Operands) -> Iterator[Pass]:
    """One input after the other, each into its part of the output (a part of every row where rows interleave)."""
    out = operands.writes[0]
    total = sum(spec.nbytes for spec in map(operands.input, range(len(operands.reads)))) or 1
    done = 0
    for position, cells in enumerate(operands.reads):
        amount = operands.input(position).nbytes
        yield [Stream(cells), Stream(out[len(out) * done // total : -(-len(out) * (done + amount) // total)], True)]
        done += amount


@dataclass(frozen=True)
class _Shape:
    """What a convolution's walks depend on. `kernel`, `pixels_in` and `pixels` are products over the dimensions."""

    batch: int
    channels_in: int
    channels: int
    groups: int
    sides: tuple[int, ...]
    pixels_in: int
    pixels: int

    @classmethod
    def of(cls, operands: Operands) -> _Shape:
        x, weight, out = operands.input(0), operands.input(1), operands.output
        sides = weight.shape[2:]
        channel = -len(sides) - 1  # maps may come without a batch dimension
        wide = (out if "transpose" in operands.op.name else x).shape[channel]
        return cls(
            batch=x.shape[0] if len(x.shape) > len(sides) + 1 else 1,
            channels_in=x.shape[channel],
            channels=out.shape[channel],
            groups=max(1, wide // max(1, weight.shape[1])),
            sides=sides,
            pixels_in=prod(x.shape[channel + 1 :]),
            pixels=prod(out.shape[channel + 1 :]),
        )

    @property
    def kernel(self) -> int:
        return prod(self.sides)

    @property
    def strided(self) -> bool:
        return self.pixels < self.pixels_in

    @property
    def blocks(self) -> int:
        """Passes over the input; a group's input is streamed for its own output channels only."""
        return max(1, -(-self.channels // self.groups // CHANNEL_BLOCK))


def _ideal_convolution(operands: Operands) -> Iterator[Pass]:
    shape = _Shape.of(operands)
    source = operands.reads[0][:: _step(operands, shape)]
    yield from repeated(source, operands.reads[1], operands.writes[0], shape.blocks)


def _step(operands: Operands, shape: _Shape) -> int:
    """One in how many lines of its input a convolution reads: a strided 1x1 leaves out pixels, or in planes rows."""
    if shape.kernel > 1 or not shape.strided:
        return 1
    return max(1, round(shape.pixels_in / shape.pixels)) if _is_channels_last(operands.input(0)) else 2


def _cpu_convolution(operands: Operands) -> Iterator[Pass]:
    """Eager torch at one thread: MKL for what `ConvParams::use_mkldnn` turns down, oneDNN for all else."""
    x, shape = operands.input(0), _Shape.of(operands)
    source = operands.reads[0]
    if _has_gaps(x):  # every kernel wants its input dense
        source = operands.scratch(x.nbytes)
        yield [Stream(operands.reads[0]), Stream(source, True)]
    small = shape.batch == 1 and x.numel <= SMALL_INPUT and max(shape.sides) <= 3
    if shape.groups == 1 and shape.batch < 16 and (small or (shape.kernel == 1 and not shape.strided)):
        yield from _by_matrix_product(operands, source, shape)
    else:
        yield from _direct(operands, source, shape)


def _direct(operands: Operands, source: Integers, shape: _Shape) -> Iterator[Pass]:
    """oneDNN: weights reordered at every call, planar maps copied into blocks of eight channels and back."""
    yield [Stream(operands.library("oneDNN", DIRECT_BYTES))]
    x, planar = operands.input(0), not _is_channels_last(operands.input(0))
    blocked, result = source, operands.writes[0]
    if planar:
        if shape.channels_in >= PLAIN_CHANNELS:
            blocked = operands.scratch(x.nbytes)
            yield [Stream(source), Stream(blocked, True)]
        result = operands.scratch(operands.output.nbytes)
    weights = operands.scratch(operands.input(1).nbytes)
    yield [Stream(operands.reads[1]), Stream(weights, True)]
    if shape.kernel == 1 and shape.strided:  # the pixels that count are gathered first
        gathered = operands.scratch(x.nbytes * shape.pixels // shape.pixels_in)
        yield [Stream(blocked[:: _step(operands, shape)]), Stream(gathered, True)]
        blocked = gathered
    for image in range(shape.batch):
        part = _nth(blocked, image, shape.batch), _nth(result, image, shape.batch)
        yield from repeated(part[0], weights, part[1], shape.blocks)
    if planar:
        yield [Stream(result), Stream(operands.writes[0], True)]


def _by_matrix_product(operands: Operands, source: Integers, shape: _Shape) -> Iterator[Pass]:
    """Torch's own kernel, image by image: windows written out as columns where the kernel is no 1x1, then MKL."""
    yield [Stream(operands.library("MKL", PRODUCT_BYTES))]
    x, weights = operands.input(0), operands.reads[1]
    depth = shape.channels_in * shape.kernel
    unfolded = operands.scratch(depth * shape.pixels * x.itemsize) if shape.kernel > 1 else None
    for image in range(shape.batch):
        columns, result = _nth(source, image, shape.batch), _nth(operands.writes[0], image, shape.batch)
        if unfolded is not None:
            yield [Stream(columns), Stream(unfolded, True)]
            columns = unfolded
        if shape.pixels <= THIN_ROWS and shape.pixels % ALIGNED_ROWS:
            yield from repeated(columns, weights, result, -(-shape.channels // THIN_BLOCK))
        elif shape.pixels <= THIN_ROWS or _is_channels_last(x):
            yield from _packed(operands, columns, weights, result, (depth, shape.pixels, shape.channels))
        else:
            yield from _packed(operands, weights, columns, result, (depth, shape.channels, shape.pixels))


def _packed(
    operands: Operands, packed: Integers, streamed: Integers, result: Integers, sizes: tuple[int, int, int]
) -> Iterator[Pass]:
    """A blocked matrix product: blocks of `packed`, depth x width, go into a buffer that is streamed once per panel.

    `sizes` are depth, width of `packed`, and the length of `streamed`, which the panels cut.
    """
    depth, width, rows = sizes
    deep, wide = -(-depth // DEPTH_BLOCK), -(-width // WIDTH_BLOCK)
    itemsize = operands.output.itemsize
    buffer = operands.library("MKL buffer", min(depth, DEPTH_BLOCK) * min(width, WIDTH_BLOCK) * itemsize)
    for column in range(wide):
        for level in range(deep):
            part = _nth(_nth(packed, column, wide), level, deep)
            yield [Stream(part), Stream(buffer, True)]
            yield from repeated(buffer, _nth(streamed, level, deep), _nth(result, column, wide), -(-rows // PANEL))


def _linear(operands: Operands) -> Iterator[Pass]:
    """Rows that fit are kept beside the weights; the weights are walked once per call."""
    position = 1 if operands.op.name == "addmm" else 0
    rows, weight = operands.reads[position], operands.reads[position + 1]
    width = operands.output.shape[-1]
    yield from repeated(rows, weight, operands.writes[0], max(1, -(-width // THIN_BLOCK)))


def _nth(cells: Integers, index: int, count: int) -> Integers:
    """One of `count` equal parts; parts smaller than a cell share it."""
    if count == 1:
        return cells
    return cells[len(cells) * index // count : -(-len(cells) * (index + 1) // count)]


def _is_channels_last(spec: TensorSpec) -> bool:
    """Whether the channels of a pixel lie side by side."""
    return len(spec.shape) == 4 and spec.shape[1] > 1 and spec.strides[1] == 1


def _has_gaps(spec: TensorSpec) -> bool:
    """Whether a map is a slice of a wider one; a slice of whole planes of a single image has none."""
    sizes = zip(spec.strides, spec.shape, strict=True)
    reach = sum(stride * (size - 1) for stride, size in sizes if size > 1) + 1
    return reach > spec.numel
