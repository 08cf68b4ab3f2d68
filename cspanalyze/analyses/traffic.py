"""Bytes that operations read and write if nothing stays on chip: one by one, and fused."""

from __future__ import annotations

from math import prod

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.costs import Cost
from cspanalyze.graph import ModelGraph, OpNode, TensorSpec, Value
from cspanalyze.results import Result

_WEIGHTS = ("parameter", "buffer", "constant")
_ALLOCATIONS = frozenset(
    f"aten.{name}"
    for name in ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
)


_LOOKUPS = frozenset({"aten.embedding", "aten._embedding_bag", "aten._embedding_bag_forward_only"})


def footprint_bytes(spec: TensorSpec) -> int:
    """Bytes of the distinct elements of a tensor: an expanded dimension (stride 0) counts once."""
    return spec.itemsize * prod(
        size for size, stride in zip(spec.shape, spec.strides, strict=True) if stride != 0 or size == 0
    )


def moves_nothing(op: OpNode) -> bool:
    """Whether an operation only renames memory, or takes some without filling it."""
    return op.view or op.target in _ALLOCATIONS


def _read_bytes(op: OpNode, value: Value, graph: ModelGraph) -> int:
    """Bytes that an operation reads of one operand: all of it, but of a table only the rows that are looked up."""
    whole = footprint_bytes(value.spec)
    if op.target not in _LOOKUPS or value.index != op.inputs[0]:
        return whole
    rows = graph.spec(op.inputs[1]).numel
    return min(whole, rows * value.spec.itemsize * prod(value.spec.shape[1:]))


class _Weights:
    """Weights count once, at their first use."""

    def __init__(self) -> None:
        self._read: set[int] = set()

    def is_due(self, value: Value) -> bool:
        """Whether the value is to be counted now: an activation always."""
        if value.kind not in _WEIGHTS:
            return True
        fresh = value.index not in self._read
        self._read.add(value.index)
        return fresh


@analysis("unfused_bytes")
def unfused_bytes(view: View) -> Result:
    """Bytes of all tensor inputs and outputs of every dispatched operation; views are free, weights count once.

    As dispatched: the int64 indices that a max pool writes beside its output are in it. Of an embedding's table only
    the rows that are looked up count.
    """
    graph, weights = view.graph, _Weights()

    def value(op: OpNode) -> int:
        if moves_nothing(op):
            return 0
        read = [graph.values[index] for index in op.inputs]
        written = sum(footprint_bytes(graph.spec(index)) for index in op.outputs)
        return written + sum(_read_bytes(op, value, graph) for value in read if weights.is_due(value))

    return view.sum_operations("unfused_bytes", "bytes", value)


@analysis("fused_bytes")
def fused_bytes(view: View) -> Result:
    """As `unfused_bytes` with every run of element-wise operations fused into the operation before it.

    Convolution + batch norm + activation is one operation that reads the input and the weights once and writes once; a
    residual add and the activation behind it join the later of its two producers, so only the other operand is read.
    A value stays inside a run only if nothing outside reads it. Concatenations copy. Batch norm and its like fuse in
    evaluation only. Side results that nobody reads (the indices of a max pool) are not written.
    """
    graph, weights = view.graph, _Weights()
    leader = _fused_runs(view)
    seen: set[tuple[int, int]] = set()  # (run, value read by it)
    sums: dict[tuple[str, str], int] = {}
    for op, head in zip(graph.ops, leader, strict=True):
        if moves_nothing(op):
            continue
        amount = 0
        for index in op.inputs:
            value = graph.values[index]
            outside = value.producer < 0 or leader[value.producer] != head
            if outside and (head, index) not in seen and weights.is_due(value):
                seen.add((head, index))
                amount += _read_bytes(op, value, graph)
        for position, index in enumerate(op.outputs):
            if _leaves(graph, leader, index, head, first=position == 0):
                amount += footprint_bytes(graph.spec(index))
        if amount:
            key = (view.grouping.of_op[head], graph.ops[head].name)
            sums[key] = sums.get(key, 0) + amount
    note = "conv + norm + activation + residual add as one operation; concat copies"
    return view.total_of("fused_bytes", "bytes", sums, note=note)


def _leaves(graph: ModelGraph, leader: list[int], value: int, head: int, *, first: bool) -> bool:
    """Whether a value is written to memory: somebody outside its run reads it, or it is a main result."""
    readers = graph.consumers[value]
    if value in graph.outputs or any(leader[reader] != head for reader in readers):
        return True
    return first and not readers


def _fused_runs(view: View) -> list[int]:
    """For every operation the first operation of the fused run that it is part of."""
    graph = view.graph
    kept_out: set[int] = set()
    while True:
        leader = _joined(view, kept_out)
        # A value that somebody outside the run reads is written to memory: nothing may have joined through it.
        leaving = {
            value.index
            for value in graph.values
            if value.producer >= 0
            and value.index not in kept_out
            and any(leader[reader] == leader[value.producer] for reader in graph.consumers[value.index])
            and any(leader[reader] != leader[value.producer] for reader in graph.consumers[value.index])
        }
        if not leaving:
            return leader
        kept_out |= leaving


def _joined(view: View, kept_out: set[int]) -> list[int]:
    graph = view.graph
    outputs = set(graph.outputs)
    leader = list(range(len(graph.ops)))
    for op, cost in zip(graph.ops, view.costs, strict=True):
        if cost is None or op.view or not _joins(op, cost):
            continue
        shape = graph.spec(op.outputs[0]).shape
        producers = [
            graph.values[index].producer
            for index in op.inputs
            if index not in kept_out and index not in outputs and graph.spec(index).shape == shape
        ]
        candidates = [producer for producer in producers if producer >= 0 and _can_lead(view, producer)]
        if candidates:
            leader[op.index] = leader[max(candidates)]
    return leader


def _joins(op: OpNode, cost: Cost) -> bool:
    """Element-wise operations, and batch norm in evaluation (a scale and a shift)."""
    if cost.kind == "elementwise":
        return len(op.outputs) == 1
    return op.name in ("batch_norm", "native_batch_norm", "_native_batch_norm_legit_no_training") and not (
        len(op.args) > 5 and op.args[5] is True
    )


def _can_lead(view: View, producer: int) -> bool:
    cost = view.costs[producer]
    return cost is not None and cost.kind != "movement" and not view.graph.ops[producer].view
