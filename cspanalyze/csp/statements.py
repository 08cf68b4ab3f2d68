"""One operation of a traced graph -> a Python expression. No torch at import."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cspanalyze.errors import CspError
from cspanalyze.graph import ModelGraph, OpNode, Ref

_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mm": "@", "bmm": "@"}
_FUNCTIONS = frozenset(
    {
        "relu", "silu", "gelu", "hardswish", "hardsigmoid", "hardtanh", "mish", "leaky_relu", "elu", "softplus",
        "relu6", "celu", "selu", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "conv1d", "conv2d",
        "conv3d", "linear", "layer_norm", "group_norm", "scaled_dot_product_attention",
    }
)  # fmt: skip
_METHODS = frozenset({"sigmoid", "tanh", "exp", "sqrt", "rsqrt", "permute", "transpose", "unsqueeze", "squeeze", "abs"})
_SAME = frozenset({"contiguous", "clone", "alias", "detach", "lift_fresh"})
_LISTS = frozenset({"split", "split_with_sizes", "unbind", "chunk"})

Name = Callable[[int], str]
"""What a value is called in the code."""


def expression(op: OpNode, graph: ModelGraph, name: Name) -> str:
    """The expression that computes what `op` makes, never in place: every value has a name of its own.

    Raises:
        CspError: it can not be written down.
    """
    plain = op.name.removesuffix("_")
    given = [_text(argument, name) for argument in op.args]
    if op.kwargs and plain not in _SAME:
        keywords = [f"{key}={_text(value, name)}" for key, value in op.kwargs if value is not None]
        if any(key in ("device", "layout", "dtype") and value is not None for key, value in op.kwargs):
            raise CspError(f"{op.target} in {op.module or 'the model'} makes a tensor of its own")
        return _operator(op, [*given, *keywords])
    if plain in _SIGNS and len(given) == 2:
        if plain == "add" and given[1].startswith("-"):
            return f"{given[0]} - {given[1][1:]}"
        return f"{given[0]} {_SIGNS[plain]} {given[1]}"
    if plain in _SAME:
        return given[0]
    if plain in ("view", "_unsafe_view", "reshape"):
        return _reshape(op, graph, given[0])
    if plain == "expand":
        return _expand(op, graph, given[0])
    if plain in ("cat", "stack"):
        return f"torch.{plain}({', '.join(given)})"
    if plain == "_softmax":
        return f"{given[0]}.softmax({given[1]})"
    if plain == "max_pool2d_with_indices":
        return f"F.max_pool2d({', '.join(given)})"
    if plain == "batch_norm":
        source, weight, bias, mean, variance, training, momentum, eps = given[:8]
        mode = "self.training" if mean != "None" else training
        return f"F.batch_norm({source}, {mean}, {variance}, {weight}, {bias}, {mode}, {momentum}, {eps})"
    if plain in ("mean", "sum", "amax") and len(given) > 1:
        keep = ", keepdim=True" if given[2:3] == ["True"] else ""
        return f"{given[0]}.{plain}({given[1]}{keep})"
    if plain == "slice":
        return _slice(op, graph, given[0])
    if plain == "select":
        return _select(op, graph, given[0])
    if plain in _LISTS:
        return f"{given[0]}.{plain.removesuffix('_with_sizes')}({', '.join(given[1:])})"
    if plain in _METHODS:
        return f"{given[0]}.{plain}({', '.join(given[1:])})"
    if plain in _FUNCTIONS:
        return f"F.{plain}({', '.join(given)})"
    return _operator(op, given)


def nested(output: Any, names: Iterator[str], where: str = "output") -> str:
    """The expression for lists, tuples and dicts of tensors, nested like `output`; `names` are the tensors' in order.

    Raises:
        CspError: something else is in it; the message says where.
    """
    kind = type(output)
    if hasattr(output, "shape"):
        return next(names)
    if kind in (list, tuple):
        items = [nested(item, names, f"{where}[{at}]") for at, item in enumerate(output)]
        inner = ", ".join(items)
        return f"[{inner}]" if kind is list else f"({inner},)" if len(items) == 1 else f"({inner})"
    if kind in (dict, OrderedDict) and all(isinstance(key, str | int) for key in output):
        items = [f"{key!r}: {nested(item, names, f'{where}[{key!r}]')}" for key, item in output.items()]
        return f"{{{', '.join(items)}}}"
    if output is None or kind in (bool, int, float, str):
        return repr(output)
    raise CspError(
        f"the network makes a {kind.__name__} as its {where}, which source that needs nothing but torch cannot make: "
        "write weights (.pt) instead"
    )


def first_only(op: OpNode) -> bool:
    """Whether the expression gives only the first of the operation's outputs."""
    return op.name == "max_pool2d_with_indices"


def _operator(op: OpNode, given: Sequence[str]) -> str:
    """Any other operator by its own name; in place where it is, on a value that nothing else reads afterwards."""
    namespace, _, name = op.target.partition(".")
    return f"torch.ops.{namespace}.{name}.{op.overload}({', '.join(given)})"


def _text(argument: Any, name: Name) -> str:
    if isinstance(argument, Ref):
        return name(argument.value)
    if isinstance(argument, tuple):
        inner = ", ".join(_text(item, name) for item in argument)
        return f"({inner},)" if len(argument) == 1 else f"({inner})"
    return repr(argument)


def _reshape(op: OpNode, graph: ModelGraph, source: str) -> str:
    before, after = (graph.spec(value).shape for value in (op.inputs[0], op.outputs[0]))
    if len(after) == 2 and len(before) > 2 and after[0] == before[0]:
        return f"{source}.flatten(1)"
    sizes = list(map(str, after))
    if after and before and after[0] == before[0]:
        sizes[0] = f"{source}.shape[0]"  # whatever the batch is
    elif after:
        sizes[0] = "-1"
    return f"{source}.reshape({', '.join(sizes)})"


def _expand(op: OpNode, graph: ModelGraph, source: str) -> str:
    before, after = (graph.spec(value).shape for value in (op.inputs[0], op.outputs[0]))
    padded = (None,) * (len(after) - len(before)) + before
    sizes = ["-1" if old == new else str(new) for old, new in zip(padded, after, strict=True)]
    return f"{source}.expand({', '.join(sizes)})"


def _slice(op: OpNode, graph: ModelGraph, source: str) -> str:
    defaults: tuple[Any, ...] = (0, 0, None, 1)
    arguments: tuple[Any, ...] = (*op.args[1:], *defaults[len(op.args) - 1 :])
    dim, start, stop, step = arguments
    shape = graph.spec(op.inputs[0]).shape
    at = dim % len(shape)
    first = "" if not start else str(start)
    last = "" if stop is None or stop >= shape[at] else str(stop)
    jump = "" if step == 1 else f":{step}"
    return f"{source}[{':, ' * at}{first}:{last}{jump}]"


def _select(op: OpNode, graph: ModelGraph, source: str) -> str:
    dim: Any = op.args[1]
    return f"{source}[{':, ' * (dim % len(graph.spec(op.inputs[0]).shape))}{op.args[2]}]"
