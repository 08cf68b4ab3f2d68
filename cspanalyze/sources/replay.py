"""The graph of a torch.export archive as a module: its operators run in order, inside modules named as they were."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

# Numbers as torch.export writes them (torch._export.serde.schema: ScalarType, Layout, MemoryFormat).
_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 9: torch.complex32, 10: torch.complex64, 11: torch.complex128, 12: torch.bool, 13: torch.bfloat16,
    28: torch.uint16, 29: torch.float8_e4m3fn, 30: torch.float8_e5m2,
}  # fmt: skip
_MEMORY_FORMATS = {
    1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format,
}  # fmt: skip
_NAMESPACES = ("aten", "torchvision", "quantized_decomposed")
_DEVICE = "(device)"  # in place of a value's name, which is an identifier
_REFUSED = ("from_file",)  # the one operator of aten that opens a file
_ON_NUMBERS: Mapping[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            "add",
            "sub",
            "mul",
            "floordiv",
            "truediv",
            "mod",
            "pow",
            "neg",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
        )
    },
    **{f"torch.sym_{name}": getattr(torch, f"sym_{name}") for name in ("int", "float", "max", "min", "not")},
}


class MalformedProgram(Exception):
    """The archive asks for something that is not replayed; the message says what."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator: what to call, what to read and what to name the results, and the modules it ran in.

    `where` holds (unique key of the call, path, class name) from the outermost module to the innermost; `done` are the
    names that nothing reads afterwards.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: Sequence[Any]
    where: tuple[tuple[str, str, str], ...]
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A value of the graph as an argument."""

    name: str


class _Part(nn.Module):
    """A module of the exported network; its forward is whatever steps ran inside it."""

    def forward(self, *given: Any) -> Any:
        """Run the steps, which come as the only argument."""
        (steps,) = given
        return steps()


class Replay(_Part):
    """The exported network, called with the flat list of its tensor inputs."""

    def __init__(self, program: Mapping[str, Any], real: bool = False) -> None:
        """`program` is the entry `graph_module` of the archive's JSON; weights are random numbers if `real`.

        Raises:
            MalformedProgram: an operator or an argument of the graph is not replayed.
        """
        super().__init__()
        graph = program["graph"]
        self._metas = graph["tensor_values"]
        self._real = real
        self._sources: list[tuple[str, str]] = []  # value name, path of the parameter or buffer
        self._inputs: list[str] = []
        self._take_inputs(program["signature"]["input_specs"], graph["inputs"])
        self._steps = _steps(graph["nodes"], graph["outputs"])
        self._outputs = graph["outputs"]
        for step in self._steps:
            for _, path, kind in step.where:
                if path:
                    self._module(path, kind)

    @property
    def example_inputs(self) -> list[Tensor]:
        """Tensors like those that the network was exported with, on the meta device."""
        return [_tensor(self._metas[name], "meta") for name in self._inputs]

    def forward(self, *given: Any) -> Any:
        """Run the whole graph on the tensors given."""
        if len(given) != len(self._inputs):
            raise ValueError(f"the exported network takes {len(self._inputs)} tensors, got {len(given)}")
        values: dict[str, Any] = {_DEVICE: torch.device("cpu" if self._real else "meta")}
        values.update((name, _get(self, path)) for name, path in self._sources)
        values.update(zip(self._inputs, given, strict=True))
        del given
        self._run(self._steps, 1, values)
        return [_resolved(_argument(output), values) for output in self._outputs]

    def _run(self, steps: Iterable[_Step], depth: int, values: dict[str, Any]) -> None:
        for place, together in groupby(steps, lambda step: step.where[depth] if depth < len(step.where) else None):
            if place is not None:
                inside = list(together)
                _get(self, place[1])(lambda inside=inside: self._run(inside, depth + 1, values))
                continue
            for step in together:
                result = step.function(
                    *_resolved(step.args, values), **{key: _resolved(arg, values) for key, arg in step.kwargs.items()}
                )
                _assign(step.outputs, result, values)
                del result
                for name in step.done:
                    values.pop(name, None)

    def _take_inputs(self, specs: Sequence[Any], inputs: Sequence[Any]) -> None:
        for spec, given in zip(specs, inputs, strict=True):
            ((kind, what),) = spec.items()
            if kind == "user_input" and "as_tensor" in given:
                self._inputs.append(given["as_tensor"]["name"])
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name = given["as_tensor"]["name"]
                self._sources.append((name, self._hold(what[f"{kind}_name"], name, kind)))
            elif kind == "user_input" and "as_sym_int" in given:
                raise MalformedProgram("it takes a number as input, and only tensors can be given")
            elif kind not in ("user_input", "constant_input"):
                raise MalformedProgram(f"it takes an input of kind {kind}, and only tensors can be given")

    def _hold(self, path: str, name: str, kind: str) -> str:
        """Register the tensor where the exported network held it."""
        owner, _, own = path.rpartition(".")
        module = self._module(owner, "") if owner else self
        meta = self._metas[name]
        tensor = _tensor(meta, "cpu" if self._real else "meta")
        if kind == "parameter":
            module.register_parameter(own, nn.Parameter(tensor, requires_grad=bool(meta["requires_grad"])))
        else:
            module.register_buffer(own, tensor, persistent=kind == "buffer")
        return path

    def _module(self, path: str, kind: str) -> nn.Module:
        """The part at a path, made where there is none yet; `kind` is the name of its class."""
        found: nn.Module = self
        for own in path.split("."):
            if own not in found._modules:
                found.add_module(own, _Part())
            found = found.get_submodule(own)
        if kind.isidentifier() and type(found) is _Part:
            found.__class__ = type(kind, (_Part,), {})
        return found


def _steps(nodes: Sequence[Any], outputs: Sequence[Any]) -> list[_Step]:
    """The nodes in order, each with what nothing reads after it."""
    kept = {_DEVICE, *_names(tuple(map(_argument, outputs)))}
    steps: list[_Step] = []
    for node in reversed(nodes):
        if not node["outputs"]:
            continue  # assertions about sizes
        args = tuple(_argument(given["arg"]) for given in node["inputs"] if given.get("kind") != 2)
        kwargs = {given["name"]: _argument(given["arg"]) for given in node["inputs"] if given.get("kind") == 2}
        mentioned = [*_names(args), *_names(tuple(kwargs.values())), *_names(tuple(map(_argument, node["outputs"])))]
        done = tuple(dict.fromkeys(name for name in mentioned if name not in kept))
        kept.update(mentioned)
        where = _where(node["metadata"].get("nn_module_stack", ""))
        steps.append(_Step(_function(node["target"]), args, kwargs, node["outputs"], where, done))
    return steps[::-1]


def _where(stack: str) -> tuple[tuple[str, str, str], ...]:
    """`key,path,class;...` as torch.export writes it; the outermost entry is the network itself."""
    entries = [entry.split(",", 2) for entry in stack.split(";")]
    return tuple((key, path, kind.rpartition(".")[2]) for key, path, kind in (e for e in entries if len(e) == 3))


def _function(target: str) -> Callable[..., Any]:
    if target in _ON_NUMBERS:
        return _ON_NUMBERS[target]
    parts = target.split(".")
    if len(parts) != 5 or parts[:2] != ["torch", "ops"] or parts[2] not in _NAMESPACES or parts[3] in _REFUSED:
        raise MalformedProgram(f"its operation {target} is not one that is replayed ({', '.join(_NAMESPACES)})")
    try:
        found: Callable[..., Any] = getattr(getattr(getattr(torch.ops, parts[2]), parts[3]), parts[4])
    except AttributeError:
        raise MalformedProgram(f"this torch has no operation {target}") from None
    return found


def _argument(written: Mapping[str, Any]) -> Any:
    """An argument as it is passed: a value, a `_Name`, or a list of those."""
    ((kind, value),) = written.items()
    match kind:
        case "as_none":
            return None
        case "as_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool" | "as_optional_tensor":
            return _single(value)
        case "as_tensors" | "as_sym_ints" | "as_sym_floats" | "as_sym_bools" | "as_optional_tensors":
            return [_single(item) for item in value]
        case "as_nested_tensors":
            return [[_single(item) for item in row] for row in value]
        case "as_scalar_type":
            return _DTYPES[value]
        case "as_memory_format":
            return _MEMORY_FORMATS[value]
        case "as_layout":
            return torch.strided
        case "as_device":
            return _Name(_DEVICE)  # where it runs now, not where it was exported
        case "as_int" | "as_float" | "as_bool" | "as_string" | "as_ints" | "as_floats" | "as_bools" | "as_int_lists":
            return value
    raise MalformedProgram(f"an operation takes an argument of kind {kind.removeprefix('as_')}, which is not replayed")


def _single(written: Any) -> Any:
    if "name" in written:
        return _Name(written["name"])
    ((kind, value),) = written.items()
    if kind in ("as_name", "as_tensor"):
        return _Name(value["name"] if kind == "as_tensor" else value)
    return None if kind == "as_none" else value


def _names(argument: Any) -> list[str]:
    if isinstance(argument, _Name):
        return [argument.name]
    return [name for item in argument for name in _names(item)] if isinstance(argument, (list, tuple)) else []


def _resolved(argument: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, _Name):
        return values[argument.name]
    return type(argument)(_resolved(a, values) for a in argument) if isinstance(argument, (list, tuple)) else argument


def _assign(outputs: Sequence[Any], result: Any, values: dict[str, Any]) -> None:
    """Name the results of an operation."""
    names = [_argument(output) for output in outputs]
    for name, value in zip(names, [result] if len(names) == 1 else result, strict=False):
        for own, item in zip(name, value, strict=False) if isinstance(name, list) else ((name, value),):
            if isinstance(own, _Name):
                values[own.name] = item


def _tensor(meta: Mapping[str, Any], device: str) -> Tensor:
    shape, strides = ([_size(size) for size in meta[key]] for key in ("sizes", "strides"))
    tensor = torch.empty_strided(shape, strides, dtype=_DTYPES[meta["dtype"]], device=device)
    if device != "meta":
        tensor.uniform_() if tensor.is_floating_point() else tensor.zero_()
    return tensor


def _size(size: Mapping[str, Any]) -> int:
    """A size, or what a dynamic one was when the network was exported; its expression is never evaluated."""
    return int(size["as_int"] if "as_int" in size else size["as_expr"]["hint"]["as_int"])


def _get(root: nn.Module, path: str) -> Any:
    owner, _, own = path.rpartition(".")
    module = root.get_submodule(owner) if owner else root
    return getattr(module, own)
