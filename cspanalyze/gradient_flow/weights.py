"""What a layer is: one call of an operator that mixes channels with a learnable weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cspanalyze.graph import Argument, ModelGraph, OpNode, Ref

_CONVOLUTIONS = frozenset(
    {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
     "_convolution", "mkldnn_convolution", "cudnn_convolution", "deform_conv2d"}
)  # fmt: skip
_PRODUCTS = {
    "linear": (0, 1), "mm": (0, 1), "bmm": (0, 1), "matmul": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2),
    "_addmm_activation": (1, 2), "mkldnn_linear": (0, 1),
}  # fmt: skip
_EMBEDDINGS = frozenset({"embedding", "_embedding_bag", "_embedding_bag_forward_only"})
RECURRENT = frozenset(
    {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
)


@dataclass(frozen=True, slots=True)
class Read:
    """A tensor that a layer reads, and the dimensions that number its input channels."""

    value: int
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mixing:
    """A layer: its weight's value, what it reads, which dimensions of the output number its channels.

    `added` is a tensor that the operator adds to its product (`addmm`), -1 if none.
    """

    weight: int
    reads: tuple[Read, ...]
    axes: tuple[int, ...]
    added: int = -1


def mixing_of(op: OpNode, graph: ModelGraph, is_weight: Callable[[int], bool]) -> Mixing | None:
    """The layer that an operation is, None if it is none; `is_weight` tells values made of parameters alone."""
    if op.name in _CONVOLUTIONS:
        return _convolution(op, graph, is_weight)
    if op.name in _PRODUCTS:
        return _product(op, graph, is_weight)
    values = _refs(op.args)
    weights = [value for value in values if is_weight(value)]
    rank = len(graph.spec(op.outputs[0]).shape)
    if op.name in _EMBEDDINGS and weights:
        return Mixing(weights[0], (), (rank - 1,))
    if (op.name in RECURRENT or op.name == "bilinear") and weights:
        reads = [value for value in values if not is_weight(value)]
        if op.name == "bilinear":
            reads = list(values[:2])
        return Mixing(weights[0], tuple(_last(graph, value) for value in reads), (rank - 1,))
    return None


def _convolution(op: OpNode, graph: ModelGraph, is_weight: Callable[[int], bool]) -> Mixing | None:
    x, weight = op.inputs[0], op.inputs[1]
    if not is_weight(weight):
        return None
    kernel = len(graph.spec(weight).shape) - 2
    read = Read(x, (len(graph.spec(x).shape) - 1 - kernel,))
    reads = [read, *(Read(value, (1,)) for value in op.inputs[2:4] if op.name == "deform_conv2d")]
    return Mixing(weight, tuple(reads), (len(graph.spec(op.outputs[-1]).shape) - 1 - kernel,))


def _product(op: OpNode, graph: ModelGraph, is_weight: Callable[[int], bool]) -> Mixing | None:
    """x W or W x with one weight; dimensions of a batched weight number channels like its rows or columns do."""
    positions = _PRODUCTS[op.name]
    operands = [op.args[position] for position in positions if position < len(op.args)]
    values = [operand.value for operand in operands if isinstance(operand, Ref)]
    if len(values) != 2 or is_weight(values[0]) == is_weight(values[1]):
        return None
    on_left = is_weight(values[0])
    weight, x = (values[0], values[1]) if on_left else (values[1], values[0])
    out = len(graph.spec(op.outputs[0]).shape)
    read_axis = -2 if on_left and len(graph.spec(x).shape) > 1 else -1
    batch = [] if op.name == "linear" else _batch_axes(graph, weight)
    rank = len(graph.spec(x).shape)
    reads = Read(x, tuple(sorted({axis % rank for axis in (*batch, read_axis) if -rank <= axis < rank})))
    axes = tuple(sorted({axis % out for axis in (*batch, -2 if on_left else -1) if -out <= axis < out}))
    added = op.args[0] if positions == (1, 2) else None
    return Mixing(weight, (reads,), axes, added.value if isinstance(added, Ref) else -1)


def _batch_axes(graph: ModelGraph, weight: int) -> list[int]:
    """Leading dimensions along which the weight really differs, counted from the back."""
    spec = graph.spec(weight)
    rank = len(spec.shape)
    return [axis - rank for axis in range(rank - 2) if spec.shape[axis] > 1 and spec.strides[axis]]


def _last(graph: ModelGraph, value: int) -> Read:
    return Read(value, (len(graph.spec(value).shape) - 1,))


def _refs(arguments: Sequence[Argument]) -> list[int]:
    found: list[int] = []
    for argument in arguments:
        if isinstance(argument, Ref):
            found.append(argument.value)
        elif isinstance(argument, tuple):
            found += _refs(argument)
    return found
