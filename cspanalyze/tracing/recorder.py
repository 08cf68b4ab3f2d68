"""The one dispatch mode: it watches a forward pass and writes down every operation as nodes and values of a graph."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cspanalyze.graph import (
    UPDATE,
    Argument,
    ModuleCall,
    OpNode,
    Phase,
    Ref,
    Storage,
    TensorSpec,
    Value,
    ValueKind,
)
from cspanalyze.tracing.operators import RUNNING_STATISTICS, Operator, operator_of
from cspanalyze.tracing.regions import may_overlap
from cspanalyze.tracing.shapes import SHAPES

_TAG = "_cspanalyze_value"  # attribute on tensors made during the trace: (value index, writes of its storage seen)
_IMPLICIT = torch._C.DispatchKey.CompositeImplicitAutograd
_DTYPE_NAMES: dict[torch.dtype, str] = {}


class _Memory:
    """A live storage while recording: its index, the values written into it through any alias, its values by layout."""

    __slots__ = ("by_layout", "index", "reference", "writes")

    def __init__(self, index: int) -> None:
        self.index = index
        self.writes: list[int] = []
        self.by_layout: dict[tuple[Any, ...], int] = {}
        self.reference: Any = None


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records into `ops`, `values`, `storages` and `calls`; `trace` turns those into a `ModelGraph`.

    Tensors that hold real data are replaced, as arguments, by meta tensors of the same layout, so no operation computes
    anything and none can write to the caller's memory; with `real` they are left alone and everything is computed.
    """

    def __init__(self, names: dict[int, tuple[str, ValueKind]], real: bool = False, shortcuts: bool = True) -> None:
        """`names` maps `id(tensor)` of parameters and buffers to (path, kind)."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: list[OpNode] = []
        self.values: list[Value] = []
        self.storages: list[list[Any]] = []
        self.calls: list[ModuleCall] = []
        self.originals: dict[int, tuple[Tensor, Tensor]] = {}
        self.known_tags: dict[int, tuple[int, int]] = {}
        self._names = names
        self.real = real
        self._shapes = SHAPES if shortcuts and not real else {}
        self._memories: dict[int, _Memory] = {}
        self._shadows: dict[int, tuple[Tensor, Tensor]] = {}
        self._shadow_storages: dict[int, Tensor] = {}
        self._stack: list[tuple[int, str]] = []  # (call index, module path)
        self._open_calls: list[list[Any]] = []
        self._ordinals: dict[str, int] = {}
        self._label = ""
        self.phase: Phase = "forward"

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch.utils._python_dispatch otherwise wraps the handler so that its first call imports torch._dynamo
        # (private name: a test says when it stops working).
        return False

    # --- operations ---------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operator = operator_of(func)
        if operator.composite:
            return self._take_apart(func, operator, args, kwargs)
        if not self.real:
            args, kwargs = self._shadowed(args), {key: self._shadowed(value) for key, value in kwargs.items()}
        elif operator.writes or operator.name in RUNNING_STATISTICS:
            self._keep_originals(operator, args, kwargs)
        inputs: list[int] = []
        recorded = tuple([self._argument(argument, inputs) for argument in args])
        recorded_kwargs = tuple([(key, self._argument(value, inputs)) for key, value in kwargs.items()])
        result = self._run(func, operator, args, kwargs)
        self._append(operator, args, kwargs, recorded, recorded_kwargs, inputs, result)
        return result

    def _take_apart(self, func: Any, operator: Operator, args: Any, kwargs: Any) -> Any:
        outer = self._label
        self._label = outer or operator.name
        try:
            with self:
                # Not func.decompose(): that prefers Python decompositions, which differ from what really runs.
                return func._op_dk(_IMPLICIT, *args, **kwargs)
        finally:
            self._label = outer

    def _run(self, func: Any, operator: Operator, args: Any, kwargs: Any) -> Any:
        if not self.real:
            if operator.in_place and isinstance(args[0], Tensor) and args[0].is_meta:
                return args[0]
            shape = self._shapes.get(operator.target)
            if shape is not None:
                result = shape(*args, **kwargs)
                if result is not None:
                    return result
        return func(*args, **kwargs)

    def _append(
        self,
        operator: Operator,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        recorded: tuple[Argument, ...],
        recorded_kwargs: tuple[tuple[str, Argument], ...],
        inputs: list[int],
        result: Any,
    ) -> None:
        index = len(self.ops)
        writes: list[int] = []
        outputs: list[int] = []
        written = self._written(operator, args, kwargs)
        for tensor in written:
            writes.append(inputs.index(self.value_of(tensor)))
            outputs.append(self._write(tensor, index))
        for tensor in tensors_in(result):
            if not any(tensor is other for other in written):
                outputs.append(self._new_value(tensor, index, "activation"))
        call, module = self._stack[-1] if self._stack else (-1, "")
        view = operator.view or (not writes and self._renames(inputs, outputs))
        self.ops.append(
            OpNode(
                index,
                operator.target,
                operator.overload,
                module,
                call,
                self._label,
                recorded,
                recorded_kwargs,
                tuple(inputs),
                tuple(outputs),
                view,
                tuple(writes),
                self.phase,
            )
        )

    def _renames(self, inputs: list[int], outputs: list[int]) -> bool:
        """Whether every output lies in the storage of an input: a copy that turned out to be none."""
        if not outputs or not inputs:
            return False
        sources = {self.values[value].spec.storage for value in inputs}
        return all(self.values[value].spec.storage in sources for value in outputs)

    def _written_positions(self, operator: Operator, args: Sequence[Any]) -> tuple[int, ...]:
        if operator.name in RUNNING_STATISTICS and len(args) > 5 and args[5] is True and args[3] is not None:
            return (3, 4)
        return operator.writes

    def _written(self, operator: Operator, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
        """The tensors that the operation mutates."""
        found: list[Tensor] = []
        for position in self._written_positions(operator, args):
            target = args[position] if position < len(args) else kwargs.get(operator.argument_names[position])
            found += tensors_in(target)
        return found

    def _keep_originals(self, operator: Operator, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """In a real run: remember what a parameter or buffer held before it is first written."""
        for tensor in self._written(operator, args, kwargs):
            if id(tensor) in self._names:
                self.originals.setdefault(id(tensor), (tensor, tensor.detach().clone()))

    # --- arguments ----------------------------------------------------------------------------------------------

    def _argument(self, argument: Any, inputs: list[int]) -> Argument:
        if isinstance(argument, Tensor):
            value = self.value_of(argument)
            inputs.append(value)
            return Ref(value)
        if argument is None or isinstance(argument, (bool, int, float, str)):
            return argument
        if isinstance(argument, (list, tuple)):
            return tuple([self._argument(item, inputs) for item in argument])
        return str(argument).removeprefix("torch.")  # dtype, device, layout, memory format, complex, generator

    def _shadowed(self, argument: Any) -> Any:
        if isinstance(argument, Tensor):
            return argument if argument.is_meta else self._shadow(argument)
        if isinstance(argument, (list, tuple)) and any(isinstance(item, (Tensor, list, tuple)) for item in argument):
            return type(argument)([self._shadowed(item) for item in argument])
        return argument

    def _shadow(self, tensor: Tensor) -> Tensor:
        """A meta tensor of the same layout; tensors that share memory get shadows that share it too."""
        found = self._shadows.get(id(tensor))
        if found is not None:
            return found[1]
        key = tensor.untyped_storage()._cdata
        # Out of inference mode: torch refuses a view of an ordinary tensor that is no ordinary tensor itself.
        with torch.inference_mode(False), torch.no_grad():
            base = self._shadow_storages.get(key)
            if base is None:
                length = tensor.untyped_storage().nbytes() // max(1, tensor.element_size())
                base = self._shadow_storages[key] = torch.empty(length, dtype=tensor.dtype, device="meta")
            flat = base if base.dtype == tensor.dtype else base.view(tensor.dtype)
            shadow = flat.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        if id(tensor) in self._names:
            self._names[id(shadow)] = self._names[id(tensor)]
        self._shadows[id(tensor)] = (tensor, shadow)  # the reference keeps id(tensor) from being used again
        return shadow

    # --- values -------------------------------------------------------------------------------------------------

    def value_of(self, tensor: Tensor) -> int:
        """Index of the value that the tensor holds now, after any write through an alias of it."""
        tag = getattr(tensor, _TAG, None) or self.known_tags.get(id(tensor))
        memory = self._memories.get(tensor.untyped_storage()._cdata)
        if tag is None or memory is None:
            return self._untagged(tensor, memory)
        value, seen = tag
        if seen < len(memory.writes):
            value = self._caught_up(value, memory, seen)
            self._tag(tensor, value, memory)
        return value

    def _untagged(self, tensor: Tensor, memory: _Memory | None) -> int:
        """A tensor whose Python object is new: a parameter, a constant, or an alias made without dispatch (`.data`)."""
        if memory is not None:
            known = memory.by_layout.get(_layout(tensor))
            if known is None and memory.by_layout:
                known = memory.writes[-1] if memory.writes else next(reversed(memory.by_layout.values()))
            if known is not None:
                self._tag(tensor, known, memory)
                return known
        name, kind = self._names.get(id(tensor), ("", "constant"))
        return self._new_value(tensor, -1, kind, name)

    def _caught_up(self, value: int, memory: _Memory, seen: int) -> int:
        spec = self.values[value].spec
        for write in memory.writes[seen:]:
            other = self.values[write].spec
            if (other.shape, other.strides, other.offset) == (spec.shape, spec.strides, spec.offset):
                value = write
            elif may_overlap(spec, other):
                value = self._update(value, write)
        return value

    def _update(self, base: int, write: int) -> int:
        """The base tensor after one of its views was written: a bookkeeping node that moves no data."""
        op = len(self.ops)
        value = len(self.values)
        self.values.append(Value(value, self.values[base].spec, op, "activation"))
        call, module = self._stack[-1] if self._stack else (-1, "")
        arguments = (Ref(base), Ref(write))
        self.ops.append(
            OpNode(
                op, UPDATE, "default", module, call, "", arguments, (), (base, write), (value,), True, (), self.phase
            )
        )
        return value

    def _write(self, tensor: Tensor, op: int) -> int:
        memory = self._memories[tensor.untyped_storage()._cdata]
        value = self._value(tensor, memory, op, "activation", "")
        memory.writes.append(value)
        self._tag(tensor, value, memory)
        return value

    def _new_value(self, tensor: Tensor, op: int, kind: ValueKind, name: str = "") -> int:
        storage = tensor.untyped_storage()
        key = storage._cdata
        memory = self._memories.get(key)
        if memory is None:
            memory = self._memories[key] = _Memory(len(self.storages))
            self.storages.append([storage.nbytes(), kind, op, None])
            memory.reference = weakref.ref(storage, partial(self._freed, key, memory.index))
        value = self._value(tensor, memory, op, kind, name)
        self._tag(tensor, value, memory)
        return value

    def _value(self, tensor: Tensor, memory: _Memory, op: int, kind: ValueKind, name: str) -> int:
        layout = _layout(tensor)
        index = len(self.values)
        dtype = tensor.dtype
        spec = TensorSpec(layout[0], _DTYPE_NAMES.get(dtype) or _dtype_name(dtype), layout[1], memory.index, layout[2])
        self.values.append(Value(index, spec, op, kind, name))
        memory.by_layout[layout] = index
        return index

    def _tag(self, tensor: Tensor, value: int, memory: _Memory) -> None:
        tag = (value, len(memory.writes))
        if id(tensor) in self._names:
            self.known_tags[id(tensor)] = tag  # never set an attribute on the caller's own tensors
        else:
            setattr(tensor, _TAG, tag)

    def _freed(self, key: int, index: int, _: object) -> None:
        self.storages[index][3] = len(self.ops)
        memory = self._memories.get(key)
        if memory is not None and memory.index == index:
            del self._memories[key]

    # --- modules ------------------------------------------------------------------------------------------------

    def enter(self, path: str, args: Any) -> None:
        """A module's forward begins."""
        index = len(self._open_calls)
        parent = self._stack[-1][0] if self._stack else -1
        ordinal = self._ordinals.get(path, 0)
        self._ordinals[path] = ordinal + 1
        inputs = tuple([self.value_of(tensor) for tensor in tensors_in(args)])
        self._open_calls.append([index, path, parent, ordinal, len(self.ops), 0, inputs, ()])
        self._stack.append((index, path))

    def leave(self, path: str, output: Any) -> None:
        """The forward of the innermost open call of that module ends (calls inside it that raised are dropped)."""
        index, found = self._stack.pop()
        while found != path:
            index, found = self._stack.pop()
        outputs = tuple([self.value_of(tensor) for tensor in tensors_in(output)])
        record = self._open_calls[index]
        record[5], record[7] = len(self.ops), outputs

    def restore_originals(self) -> None:
        """Put back what a real run wrote into parameters and buffers."""
        with torch.no_grad():
            for tensor, original in self.originals.values():
                tensor.copy_(original)

    @property
    def parent(self) -> str:
        """Path of the module that called the innermost one."""
        return self._stack[-2][1] if len(self._stack) > 1 else ""

    @property
    def innermost(self) -> str:
        """Path of the module whose forward is running."""
        return self._stack[-1][1] if self._stack else ""

    def finished_calls(self) -> tuple[ModuleCall, ...]:
        """All calls, in the order in which they began."""
        return tuple([ModuleCall(*record) for record in self._open_calls])

    def finished_storages(self) -> tuple[Storage, ...]:
        """All storages with their lives; what lived until the last operation was over counts as never freed."""
        end = len(self.ops)
        return tuple(
            [
                Storage(index, nbytes, kind, alloc, None if free == end else free)
                for index, (nbytes, kind, alloc, free) in enumerate(self.storages)
            ]
        )


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype


def _dtype_name(dtype: torch.dtype) -> str:
    return _DTYPE_NAMES.setdefault(dtype, str(dtype).removeprefix("torch."))


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors in nested lists, tuples, dicts and dataclasses, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, (list, tuple)):
        return [tensor for item in tree for tensor in tensors_in(item)]
    if isinstance(tree, dict):
        return [tensor for item in tree.values() for tensor in tensors_in(item)]
    if hasattr(tree, "__dataclass_fields__") and not isinstance(tree, type):
        return [tensor for name in tree.__dataclass_fields__ for tensor in tensors_in(getattr(tree, name))]
    return []
