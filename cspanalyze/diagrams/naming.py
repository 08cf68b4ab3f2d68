"""What is written on a box: what it is in the field's words, and the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cspanalyze.diagrams.boxes import Box, is_weighted
from cspanalyze.diagrams.record import Kind
from cspanalyze.graph import ModelGraph, OpNode

_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "conv": "conv", "linear": "linear", "addmm": "linear", "bilinear": "linear", "embedding": "embedding",
        "lstm": "recurrent", "gru": "recurrent", "rnn": "recurrent", "scaled_dot_product": "attention",
        "matmul": "attention", "bmm": "attention", "mm": "attention", "baddbmm": "attention",
        "multi_head_attention": "attention", "batch_norm": "norm", "layer_norm": "norm", "group_norm": "norm",
        "instance_norm": "norm", "rms_norm": "norm", "native_batch_norm": "norm", "native_layer_norm": "norm",
        "native_group_norm": "norm", "local_response_norm": "norm",
        "max_pool": "pool", "avg_pool": "pool", "adaptive": "pool", "mean": "pool", "lp_pool": "pool",
        "upsample": "resample", "interpolate": "resample", "pixel_": "resample", "grid_sampler": "resample",
        "cat": "concat", "stack": "concat", "add": "add", "sub": "add", "mul": "multiply", "div": "multiply",
        "slice": "slice", "split": "slice", "chunk": "slice", "narrow": "slice", "unbind": "slice", "select": "slice",
        "index_select": "slice", "unsafe_split": "slice",
    }
)  # fmt: skip
_ACTIVATIONS = (
    "relu", "leaky", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish", "sigmoid", "hardswish", "hardsigmoid",
    "hardtanh", "tanh", "softmax", "_softmax", "softplus", "clamp", "logistic", "glu",
)  # fmt: skip
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "relu": "ReLU", "leaky_relu": "Leaky ReLU", "silu": "SiLU", "gelu": "GELU", "mish": "Mish", "elu": "ELU",
        "hardtanh": "ReLU6", "hardswish": "Hardswish", "hardsigmoid": "Hardsigmoid", "sigmoid": "Sigmoid",
        "tanh": "Tanh", "softmax": "Softmax", "prelu": "PReLU", "batch_norm": "BatchNorm", "layer_norm": "LayerNorm",
        "group_norm": "GroupNorm", "instance_norm": "InstanceNorm", "rms_norm": "RMSNorm",
        "max_pool2d_with_indices": "Max pool", "max_pool2d": "Max pool", "avg_pool2d": "Average pool",
        "adaptive_avg_pool2d": "Global average pool", "_adaptive_avg_pool2d": "Global average pool",
        "adaptive_max_pool2d": "Global max pool", "mean": "Mean", "cat": "Concat", "stack": "Stack", "add": "Add",
        "sub": "Subtract", "mul": "Multiply", "div": "Divide", "slice": "Slice", "split": "Split", "chunk": "Split",
        "split_with_sizes": "Split", "unbind": "Split", "narrow": "Slice", "select": "Select", "linear": "Linear",
        "addmm": "Linear", "matmul": "Matrix product", "bmm": "Matrix product", "mm": "Matrix product",
        "scaled_dot_product_attention": "Attention", "embedding": "Embedding", "lstm": "LSTM", "gru": "GRU",
        "dropout": "Dropout", "upsample_nearest2d": "Up-sample", "upsample_bilinear2d": "Up-sample",
        "pixel_shuffle": "Pixel shuffle", "flatten": "Flatten", "view": "Reshape", "transpose": "Transpose",
        "permute": "Permute", "expand": "Expand", "roll": "Roll", "clone": "Copy",
    }
)  # fmt: skip


def kind_of_op(op: OpNode) -> Kind:
    """What sort of operation it is."""
    name = op.name.rstrip("_")
    if name in _KINDS:
        return _KINDS[name]
    if name.startswith(_ACTIVATIONS):
        return "activation"
    return next(
        (kind for start, kind in _KINDS.items() if len(start) > 3 and name.lstrip("_").startswith(start)), "other"
    )


def kind_of(box: Box) -> Kind:
    """`block` with several layers; otherwise that of the only layer, or of the operation that says most."""
    if box.weighted > 1:
        return "block"
    kinds = {kind_of_op(op) for op in box.ops}
    return next((kind for kind in _TELLING if kind in kinds), "other")


_TELLING: tuple[Kind, ...] = (
    "conv", "linear", "recurrent", "embedding", "attention", "concat", "pool", "add", "norm", "resample", "activation",
    "multiply", "slice",
)  # fmt: skip


def title(box: Box, graph: ModelGraph) -> str:
    """`Bottleneck` for a block, `Conv 3×3 /2` for a layer, `Concat` for an operation."""
    if box.role == "unit":
        return title(box.children[0], graph)
    telling = _telling(box)
    if telling is not None:
        return word(telling, graph)
    return box.type.strip("_") or box.label


def _telling(box: Box) -> OpNode | None:
    """The operation that says what the box is; None for a block, which its class describes."""
    layers = [op for op in box.ops if is_weighted(op)]
    if box.role == "op":
        return box.ops[0]
    if len(layers) == 1 and (box.is_leaf or box.type == "Sequential" or "conv" in box.type.lower()):
        return layers[0]
    known = [op for op in box.ops if kind_of_op(op) != "other"]
    if not layers and known and ((len(known) == 1 and box.is_leaf) or kind_of(box) == "norm"):
        return known[0]
    return None


def details(box: Box, graph: ModelGraph) -> tuple[str, ...]:
    """What a box does besides what its title says, if that is little: `BatchNorm`, `ReLU`."""
    if box.role == "unit":
        head, *others = box.children
        return (*details(head, graph), *(word(op, graph) for part in others for op in _spoken(part)))
    if box.role == "op" or box.weighted > 1 or not box.type:
        return ()
    named = box.role == "stage" and box.label != box.path  # its title is its name
    telling = None if named else _telling(box)
    return tuple(dict.fromkeys(word(op, graph) for op in _spoken(box) if op is not telling))


def _spoken(box: Box) -> list[OpNode]:
    return [op for op in box.ops if kind_of_op(op) in ("conv", "linear", "norm", "activation", "pool", "resample")]


def word(op: OpNode, graph: ModelGraph) -> str:
    """An operation in words: convolutions with kernel, stride, dilation and groups."""
    name = op.name.rstrip("_")
    if name.startswith("conv") and len(op.inputs) > 1:
        return _convolution(op, graph)
    if name == "mean" and op.outputs and len(graph.spec(op.inputs[0]).shape) == 4:
        return "Global average pool"
    if name == "slice" and len(op.args) > 3 and op.args[1] == 1 and len(graph.spec(op.inputs[0]).shape) == 4:
        start = op.args[2] if isinstance(op.args[2], int) else 0
        return f"Channels {start}–{start + graph.spec(op.outputs[0]).shape[1] - 1}"
    if name in ("max_pool2d_with_indices", "max_pool2d", "avg_pool2d") and len(op.args) > 1:
        return f"{_WORDS[name]} {_window(op.args[1])}{_stride(op.args[2] if len(op.args) > 2 else op.args[1])}"
    return _WORDS.get(name, name.lstrip("_").replace("_", " ").capitalize())


def _convolution(op: OpNode, graph: ModelGraph) -> str:
    weight = graph.spec(op.inputs[1]).shape
    arguments = dict(op.kwargs) | dict(enumerate(op.args))
    transposed = "transpose" in op.name
    groups = arguments.get(6, arguments.get("groups", 1))
    dilation = arguments.get(7 if transposed else 5, 1)
    text = "Conv " if not transposed else "Transposed conv "
    if isinstance(groups, int) and groups > 1 and groups == graph.spec(op.inputs[0]).shape[-len(weight) + 1]:
        text, groups = f"Depthwise {text.lower()}", 1
    text += "×".join(map(str, weight[2:])) + _stride(arguments.get(3, 1))
    if isinstance(groups, int) and groups > 1:
        text += f", {groups} groups"
    if any(size != 1 for size in _sizes(dilation)):
        text += f", dilation {_sizes(dilation)[0]}"
    return text


def _sizes(argument: object) -> tuple[int, ...]:
    if isinstance(argument, tuple):
        return tuple(size for size in argument if isinstance(size, int))
    return (argument,) if isinstance(argument, int) else ()


def _window(argument: object) -> str:
    sizes = _sizes(argument)
    return "×".join(map(str, sizes * 2 if len(sizes) == 1 else sizes))


def _stride(argument: object) -> str:
    sizes = set(_sizes(argument))
    return f" /{max(sizes)}" if sizes and max(sizes) > 1 else ""


def shape_text(shapes: Sequence[tuple[int, ...]], batch: int) -> str:
    """A shape without its batch; of several, that of the first and the last where they differ (`64…224×56×56`)."""
    first, last = shapes[0], shapes[-1]
    if len(first) != len(last):
        return shape_text([first], batch)
    skip = 1 if len(first) > 1 and first[0] == batch else 0
    parts = [str(a) if a == b else f"{a}…{b}" for a, b in zip(first[skip:], last[skip:], strict=True)]
    return "×".join(parts) or "scalar"
