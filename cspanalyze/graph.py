"""The one immutable record of a forward pass: every analysis reads it, nothing writes it.

A `ModelGraph` is in static single assignment form: each operation reads and makes *values*. An in-place operation makes
a new value that shares its storage with the old one, and a write through a view is followed, when the base tensor is
next read, by the bookkeeping operation `UPDATE`, so that an edge always leads to the operation that really produced the
data. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import networkx

    from cspanalyze.stage_plans import NetworkPlan

UPDATE = "cspanalyze.update"
"""Target of the pseudo-operation (old base, written view) -> new base; it moves no data and costs nothing."""

ITEMSIZE: Mapping[str, int] = MappingProxyType(
    {
        "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
        "complex128": 16, "complex64": 8, "complex32": 4,
        "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1,
        "qint8": 1, "quint8": 1, "qint32": 4,
    }
)  # fmt: skip
"""Bytes of one element, by dtype name as torch prints it without the `torch.` prefix."""

ValueKind = Literal["activation", "input", "parameter", "buffer", "constant"]
Phase = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor among the arguments of an operation: the index of a value of the graph."""

    value: int


Argument: TypeAlias = "int | float | bool | str | Ref | tuple[Argument, ...] | None"
"""What an operation's argument can be; dtypes, devices and memory formats are their names."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape, dtype and memory layout of a tensor.

    `shape` and `strides` are in elements; `storage` is an index into `ModelGraph.storages` and `offset` the position
    of the first element in it, in elements.
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]
    storage: int
    offset: int

    @property
    def numel(self) -> int:
        """Number of elements of the tensor (logical: an expanded dimension counts in full)."""
        return prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return ITEMSIZE[self.dtype]

    @property
    def nbytes(self) -> int:
        """Bytes of the logical tensor: `numel * itemsize`."""
        return prod(self.shape) * ITEMSIZE[self.dtype]


@dataclass(frozen=True, slots=True)
class Value:
    """One version of one tensor. `producer` is the index of the operation that made it, -1 if it was there before."""

    index: int
    spec: TensorSpec
    producer: int
    kind: ValueKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of memory behind one or more tensors, and its life in the trace.

    `alloc` is the index of the operation that allocated it (-1: before the first), `free` the index of the first
    operation for which it was gone (None: it outlived the trace).
    """

    index: int
    nbytes: int
    kind: ValueKind
    alloc: int
    free: int | None


@dataclass(frozen=True, slots=True)
class OpNode:
    """One dispatched operation.

    `target` is namespace and name (`aten.conv2d`), `overload` the schema variant; `module` is the path of the innermost
    module whose forward ran it ("" for the root), `call` an index into `ModelGraph.calls`; `label` names the composite
    operation that it came from (`einsum`), "" if none. `inputs` are the values read, in schema order, parameters
    included; `outputs` the values made. `view` says that the outputs only rename memory of an input; `writes` are the
    positions in `inputs` that were written in place (the new version is among `outputs`); `detached` says that
    gradients were switched off, as `torch.no_grad()` does. In the trace of a training step `phase` is "backward" for
    what computes gradients, with the `module` and `call` of the forward operation whose gradient it is; `saved` are the
    values that autograd kept from a forward operation for its gradient, weights aside.
    """

    index: int
    target: str
    overload: str
    module: str
    call: int
    label: str
    args: tuple[Argument, ...]
    kwargs: tuple[tuple[str, Argument], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    view: bool = False
    writes: tuple[int, ...] = ()
    detached: bool = False
    phase: Phase = "forward"
    saved: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The operation without its namespace: `conv2d` for `aten.conv2d`."""
        return self.target.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class ModuleNode:
    """A module of the network: its path, its class, and the indices of the parameters and buffers it holds itself."""

    path: str
    type: str
    parameters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One execution of a module's forward.

    Operations `start` to `stop - 1` ran inside it; `inputs` and `outputs` are its tensors, flattened in order; `parent`
    is the index of the call that it ran in, -1 for the outermost. `ordinal` counts the calls of the same module from 0.
    """

    index: int
    module: str
    parent: int
    ordinal: int
    start: int
    stop: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or buffer of the model. Tied parameters are one record with several `names`.

    `value` is the index of its value in the graph, None if the forward pass never read it; `gradient` that of its
    gradient, None if none was computed.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    kind: Literal["parameter", "buffer"]
    trainable: bool
    value: int | None
    gradient: int | None = None

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True, repr=False)
class ModelGraph:
    """A traced network: operations in execution order, with exact data-flow edges.

    `method` says how it was traced ("meta" or "real input"), `mode` is "eval" or "train"; `notes` are sentences about
    anything that a reader of a number should know. `plan` describes the stages as the architecture declares them (from
    module attributes, never from the trace); None where no family is recognised.
    """

    name: str
    ops: tuple[OpNode, ...]
    values: tuple[Value, ...]
    storages: tuple[Storage, ...]
    modules: tuple[ModuleNode, ...]
    calls: tuple[ModuleCall, ...]
    parameters: tuple[Parameter, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    mode: Literal["eval", "train"] = "eval"
    method: str = "meta"
    notes: tuple[str, ...] = ()
    plan: NetworkPlan | None = field(default=None)

    def __repr__(self) -> str:
        inputs = ", ".join("x".join(map(str, self.spec(value).shape)) for value in self.inputs) or "none"
        return f"<ModelGraph of {self.name}: {len(self.ops)} operations, input {inputs}, {self.mode} mode>"

    def spec(self, value: int) -> TensorSpec:
        """Layout of a value."""
        return self.values[value].spec

    def input_specs(self, op: OpNode) -> list[TensorSpec]:
        """Layouts of the tensors that an operation reads, parameters included, in schema order."""
        return [self.values[v].spec for v in op.inputs]

    def output_specs(self, op: OpNode) -> list[TensorSpec]:
        """Layouts of the tensors that an operation makes."""
        return [self.values[v].spec for v in op.outputs]

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For every value, the indices of the operations that read it, in order."""
        readers: list[list[int]] = [[] for _ in self.values]
        for op in self.ops:
            for value in dict.fromkeys(op.inputs):
                readers[value].append(op.index)
        return tuple(map(tuple, readers))

    @property
    def forward_part(self) -> ModelGraph:
        """The graph up to its first backward operation: itself if it has none.

        What was freed later counts as never freed. Values and storages keep their indices, those of the backward pass
        included, which no operation of this part reads or makes.
        """
        return self._without_backward if self._has_backward else self

    @cached_property
    def _has_backward(self) -> bool:
        return any(op.phase == "backward" for op in self.ops)

    @cached_property
    def _without_backward(self) -> ModelGraph:  # never itself: a cycle waits for the garbage collector
        count = next(op.index for op in self.ops if op.phase == "backward")
        storages = [replace(s, free=None) if s.free is not None and s.free >= count else s for s in self.storages]
        return replace(self, ops=self.ops[:count], storages=tuple(storages))

    def edges(self) -> Iterator[tuple[int, int, int]]:
        """All data-flow edges as (producer operation, consumer operation, value)."""
        for op in self.ops:
            for value in dict.fromkeys(op.inputs):
                producer = self.values[value].producer
                if producer >= 0:
                    yield producer, op.index, value

    def calls_of(self, path: str) -> list[ModuleCall]:
        """Every call of the module at `path`."""
        return [call for call in self.calls if call.module == path]

    def to_networkx(self) -> networkx.MultiDiGraph[int]:
        """The operations as a `networkx.MultiDiGraph`; edge attributes are `value`, `shape` and `dtype`."""
        import networkx

        graph: networkx.MultiDiGraph[int] = networkx.MultiDiGraph(name=self.name)
        for op in self.ops:
            graph.add_node(op.index, target=op.target, module=op.module, label=op.label, view=op.view)
        for source, sink, value in self.edges():
            spec = self.spec(value)
            graph.add_edge(source, sink, key=value, value=value, shape=spec.shape, dtype=spec.dtype)
        return graph
