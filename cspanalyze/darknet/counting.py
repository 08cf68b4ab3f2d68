"""What the layers of a plan hold and compute, from their options alone: the second route to the numbers of a trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cspanalyze.darknet.layers import (
    ChannelMaximum,
    Connected,
    Convolution,
    ConvolutionalRecurrence,
    GlobalMean,
    Implicit,
    Layer,
    Local,
    Normalisation,
    Plan,
    Pooling,
    Recurrence,
    Shape,
    Shortcut,
)


@dataclass(frozen=True, slots=True)
class Count:
    """What one layer, or several together, hold and compute for one image (one step of a sequence).

    `kernel_elements` are the weights of convolutions and fully connected layers, without norms and biases: the
    parameters of the CSPNet paper. `parameters` are all trainable ones. `macs` are those of convolutions and fully
    connected layers. `maxpool_elements` are the elements of the windows of all max pools. `cio_elements` and
    `pool_io_elements` are the inputs and outputs of convolutions, and of max, mean and global pools.
    """

    kernel_elements: int = 0
    parameters: int = 0
    macs: int = 0
    maxpool_elements: int = 0
    cio_elements: int = 0
    pool_io_elements: int = 0

    @property
    def darknet_flops(self) -> int:
        """Darknet's BFLOPs x 1e9: 2 x MACs + the elements of the max-pool windows."""
        return 2 * self.macs + self.maxpool_elements


def total(counts: Iterable[Count]) -> Count:
    """The sum of counts, field by field."""
    rows = [
        (c.kernel_elements, c.parameters, c.macs, c.maxpool_elements, c.cio_elements, c.pool_io_elements)
        for c in counts
    ]
    return Count(*(sum(column) for column in zip(*rows, strict=True))) if rows else Count()


def count_plan(plan: Plan) -> Count:
    """The whole network."""
    return total(map(count, plan.layers))


def count(layer: Layer) -> Count:
    """One layer. Weights shared with an earlier layer count there."""
    kind, before, shape = layer.kind, layer.before, layer.shape
    match kind:
        case Convolution():
            return _convolution(kind, before, shape)
        case Pooling() | ChannelMaximum() | GlobalMean():
            return _pooling(kind, before, shape)
        case Connected():
            kernel = before.elements * kind.outputs
            return Count(kernel, kernel + (2 if kind.normalised else 1) * kind.outputs, kernel)
        case Local():
            positions = shape.height * shape.width
            return Count(parameters=positions * kind.filters * (before.channels * kind.size**2 + 1))
        case Normalisation(across=0):
            return Count(parameters=2 * before.channels)
        case Shortcut(weights="per map"):
            return Count(parameters=kind.sources + 1)
        case Shortcut(weights="per channel"):
            return Count(parameters=(kind.sources + 1) * shape.channels)
        case Implicit():
            return Count(parameters=kind.filters * kind.atoms)
        case Recurrence():
            return _recurrence(kind, before.elements)
        case ConvolutionalRecurrence():
            return _convolutional_recurrence(kind, before)
        case _:
            return Count()


def _convolution(kind: Convolution, before: Shape, shape: Shape) -> Count:
    per_output = before.channels // kind.groups * kind.size**2
    kernel = 0 if kind.shared is not None else per_output * kind.filters
    rest = 0 if kind.shared is not None else (2 if kind.normalised else 1) * kind.filters
    if not kind.blur:
        return Count(kernel, kernel + rest, per_output * shape.elements, 0, before.elements + shape.elements)
    sharp = Shape(kind.filters, *((side + 2 * kind.padding - kind.size) + 1 for side in before.size))
    own = Count(kernel, kernel + rest, per_output * sharp.elements, 0, before.elements + sharp.elements)
    return total((own, _blur(kind.blur, sharp, shape)))


def _blur(side: int, before: Shape, shape: Shape) -> Count:
    """A convolution of each channel with fixed weights, which are no parameters."""
    return Count(macs=side * side * shape.elements, cio_elements=before.elements + shape.elements)


def _pooling(kind: Pooling | ChannelMaximum | GlobalMean, before: Shape, shape: Shape) -> Count:
    if isinstance(kind, ChannelMaximum):
        return Count(maxpool_elements=before.elements, pool_io_elements=before.elements + shape.elements)
    if isinstance(kind, GlobalMean):
        return Count(pool_io_elements=before.elements + shape.elements)
    sharp = shape
    if kind.blur:
        sharp = Shape(before.channels, *(side + kind.padding - kind.size + 1 for side in before.size))
    window = kind.size**2 * sharp.elements if kind.reduction == "max" else 0
    own = Count(maxpool_elements=window, pool_io_elements=before.elements + sharp.elements)
    return total((own, _blur(kind.blur, sharp, shape))) if kind.blur else own


def _recurrence(kind: Recurrence, inputs: int) -> Count:
    if kind.cell == "rnn":
        matrices = [(inputs, kind.hidden), (kind.hidden, kind.hidden), (kind.hidden, kind.outputs)]
    else:
        gates = 3 if kind.cell == "gru" else 4
        matrices = [(inputs, kind.outputs), (kind.outputs, kind.outputs)] * gates
    kernel = sum(rows * columns for rows, columns in matrices)
    rest = (2 if kind.normalised else 1) * sum(columns for _, columns in matrices)
    return Count(kernel, kernel + rest, kernel)


def _convolutional_recurrence(kind: ConvolutionalRecurrence, before: Shape) -> Count:
    inner = kind.inner
    first, state = (before.channels, inner.filters), (inner.filters, inner.filters)
    if kind.cell == "crnn":
        convolutions = [first, state, (inner.filters, kind.outputs)]
    else:
        convolutions = [first, state] * 4 + [state] * (3 if kind.peephole else 0)
    counts = []
    for channels, filters in convolutions:
        kernel = channels // inner.groups * inner.size**2 * filters
        rest = (2 if inner.normalised else 1) * filters
        positions = before.height * before.width
        counts.append(Count(kernel, kernel + rest, kernel * positions, 0, (channels + filters) * positions))
    return total(counts)
