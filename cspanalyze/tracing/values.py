"""Which value a tensor holds: static single assignment over tensors that alias and are written in place."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from cspanalyze.graph import Storage, TensorSpec, Value, ValueKind
from cspanalyze.tracing.regions import may_overlap

_TAG = "_cspanalyze_value"  # attribute on tensors made during a trace: (trace, value index, writes of storage seen)
_DTYPE_NAMES: dict[torch.dtype, str] = {}


class _Memory:
    """A live storage: its index, the values written into it through any alias, its latest value for every layout."""

    __slots__ = ("by_layout", "index", "reference", "writes")

    def __init__(self, index: int) -> None:
        self.index = index
        self.writes: list[int] = []
        self.by_layout: dict[tuple[Any, ...], int] = {}
        self.reference: Any = None


class ValueTable:
    """All values and storages of a trace.

    A tensor made during the trace carries its value as an attribute; the caller's own tensors, which must not get one,
    are looked up by identity. Neither keeps a tensor alive, so storages die when they do in an ordinary run.
    """

    def __init__(self, names: dict[int, tuple[str, ValueKind]], update: Callable[[int, int, int], int]) -> None:
        """`names` maps `id(tensor)` of parameters and buffers to (path, kind).

        `update(base, write, result)` appends the bookkeeping operation that makes value `result` of the old base and
        the written view, and returns its index; it may call nothing here.
        """
        self.values: list[Value] = []
        self.names = names
        self._update = update
        self._storages: list[list[Any]] = []  # [nbytes, kind, alloc, free]
        self._memories: dict[int, _Memory] = {}
        self._named_tags: dict[int, tuple[object, int, int]] = {}
        self._token = object()  # a tensor of an earlier trace carries another one
        self._clock = 0

    def tick(self, operations: int) -> None:
        """Say how many operations there are: the time at which storages die."""
        self._clock = operations

    def of(self, tensor: Tensor) -> int:
        """Index of the value that the tensor holds now, after any write through an alias of it."""
        tag = getattr(tensor, _TAG, None) or self._named_tags.get(id(tensor))
        memory = self._memories.get(tensor.untyped_storage()._cdata)
        if tag is None or memory is None or tag[0] is not self._token:
            return self._untagged(tensor, memory)
        _, value, seen = tag
        if seen < len(memory.writes):
            value = self._caught_up(value, memory, seen)
            self._tag(tensor, value, memory)
        return value

    def new(self, tensor: Tensor, op: int, kind: ValueKind, name: str = "") -> int:
        """A value for a tensor that `op` made (-1: it was there before)."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        memory = self._memories.get(key)
        if memory is None:
            memory = self._memories[key] = _Memory(len(self._storages))
            self._storages.append([storage.nbytes(), kind, op, None])
            memory.reference = weakref.ref(storage, partial(self._freed, key, memory.index))
        return self._append(tensor, memory, op, kind, name)

    def written(self, tensor: Tensor, op: int) -> int:
        """A value for a tensor that `op` wrote in place; `of` must have seen the tensor before."""
        memory = self._memories[tensor.untyped_storage()._cdata]
        memory.writes.append(len(self.values))
        return self._append(tensor, memory, op, "activation", "")

    def storages(self) -> tuple[Storage, ...]:
        """All storages with their lives; what lived until the last operation was over counts as never freed."""
        end = self._clock
        return tuple(
            [
                Storage(index, nbytes, kind, alloc, None if free == end else free)
                for index, (nbytes, kind, alloc, free) in enumerate(self._storages)
            ]
        )

    def peak_bytes(self) -> int:
        """The most that inputs and activations took at once, up to now."""
        change: dict[int, int] = {}
        for nbytes, kind, alloc, free in self._storages:
            if kind in ("input", "activation"):
                change[alloc] = change.get(alloc, 0) + nbytes
                if free is not None:
                    change[free] = change.get(free, 0) - nbytes
        return max(accumulate(change[time] for time in sorted(change)), default=0)

    def release(self) -> None:
        """End the recording: drop what refers back here, so that nothing waits for a collection of cycles."""
        self._memories.clear()
        self._named_tags.clear()
        del self._update

    def _untagged(self, tensor: Tensor, memory: _Memory | None) -> int:
        """A tensor whose Python object is new: a parameter, a constant, or an alias made without dispatch (`.data`)."""
        if memory is not None:
            known = memory.by_layout.get(_layout(tensor))
            if known is None:
                known = memory.writes[-1] if memory.writes else next(reversed(memory.by_layout.values()))
            self._tag(tensor, known, memory)
            return known
        name, kind = self.names.get(id(tensor), ("", "constant"))
        return self.new(tensor, -1, kind, name)

    def _caught_up(self, value: int, memory: _Memory, seen: int) -> int:
        spec = self.values[value].spec
        for write in memory.writes[seen:]:
            other = self.values[write].spec
            if (other.shape, other.strides, other.offset) == (spec.shape, spec.strides, spec.offset):
                value = write
            elif may_overlap(spec, other):
                result = len(self.values)
                op = self._update(value, write, result)
                self.values.append(Value(result, spec, op, "activation"))
                value = result
        return value

    def _append(self, tensor: Tensor, memory: _Memory, op: int, kind: ValueKind, name: str) -> int:
        layout = _layout(tensor)
        index = len(self.values)
        spec = TensorSpec(layout[0], _dtype_name(layout[3]), layout[1], memory.index, layout[2])
        self.values.append(Value(index, spec, op, kind, name))
        memory.by_layout[layout] = index
        self._tag(tensor, index, memory)
        return index

    def _tag(self, tensor: Tensor, value: int, memory: _Memory) -> None:
        tag = (self._token, value, len(memory.writes))
        if id(tensor) in self.names:
            self._named_tags[id(tensor)] = tag
        else:
            setattr(tensor, _TAG, tag)

    def _freed(self, key: int, index: int, _: object) -> None:
        self._storages[index][3] = self._clock
        memory = self._memories.get(key)
        if memory is not None and memory.index == index:
            del self._memories[key]


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


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype


def _dtype_name(dtype: torch.dtype) -> str:
    return _DTYPE_NAMES.get(dtype) or _DTYPE_NAMES.setdefault(dtype, str(dtype).removeprefix("torch."))
