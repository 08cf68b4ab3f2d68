"""Bytes that operations read and write if nothing stays on chip: one by one, and fused."""

from __future__ import annotations

from math import prod

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.costs import Cost
from cspanalyze.graph import ModelGraph, OpNode, TensorSpec, Value
from cspanalyze.results import Result, Row

_WEIGHTS = ("parameter", "buffer", "constant")
_ALLOCATIONS = frozenset(
    f"aten.{name}"
    for name in ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
)


def footprint_bytes(spec: TensorSpec) -> int:
    """Bytes of the distinct elements of a tensor: an expanded dimension (stride 0) counts once."""
    if 0 not in spec.strides:  # nearly always, and this runs for every argument of every operation
        return spec.nbytes
    return spec.itemsize * prod(
        size for size, stride in zip(spec.shape, spec.strides, strict=True) if stride != 0 or size == 0
    )


def _moves_nothing(op: OpNode) -> bool:
    return op.view or op.target in _ALLOCATIONS


@analysis("unfused_bytes")
def unfused_bytes(view: View) -> Result:
    """Bytes of all tensor inputs and outputs of every dispatched operation; views are free, weights count once."""
    graph = view.graph
    read: set[int] = set()

    def value(op: OpNode, _: Cost) -> int:
        if _moves_nothing(op):
            return 0
        values = [graph.values[index] for index in (*op.inputs, *op.outputs)]
        return sum(footprint_bytes(value.spec) for value in values if _first_time(value, read))

    return view.sum_per_group("unfused_bytes", "bytes", value)


def _first_time(value: Value, read: set[int]) -> bool:
    """Whether the value is to be counted: activations always, a weight only the first time."""
    if value.kind not in _WEIGHTS:
        return True
    fresh = value.index not in read
    read.add(value.index)
    return fresh


@analysis("fused_bytes")
def fused_bytes(view: View) -> Result:
    """As `unfused_bytes` with every run of element-wise operations fused into the operation before it.

    Convolution + batch norm + activation is one operation that reads the input and the weights once and writes once; a
    residual add and the activation behind it join the later of its two producers, so only the other operand is read.
    Concatenations copy. Batch norm and its like fuse in evaluation only.
    """
    graph = view.graph
    leader = _fused_runs(view)
    read: set[int] = set()
    sums: dict[tuple[str, str], int] = {}
    for op, cost, head in zip(graph.ops, view.costs, leader, strict=True):
        if cost is None or _moves_nothing(op):
            continue
        inputs = [graph.values[index] for index in op.inputs]
        amount = sum(
            footprint_bytes(value.spec)
            for value in inputs
            if _first_time(value, read) and (value.producer < 0 or leader[value.producer] != head)
        )
        for index in op.outputs:
            readers = graph.consumers[index]
            if not readers or index in graph.outputs or any(leader[reader] != head for reader in readers):
                amount += footprint_bytes(graph.values[index].spec)
        if amount:
            key = (view.grouping.of_op[head], graph.ops[head].name)
            sums[key] = sums.get(key, 0) + amount
    rows = view.ordered((group, Row(group, name, amount)) for (group, name), amount in sums.items())
    note = "conv + norm + activation + residual add as one operation; concat copies"
    return Result("fused_bytes", "bytes", "trace", rows, sum(sums.values()), view.uncovered, note=note)


def _fused_runs(view: View) -> list[int]:
    """For every operation the first operation of the fused run that it is part of."""
    graph = view.graph
    leader = list(range(len(graph.ops)))
    for op, cost in zip(graph.ops, view.costs, strict=True):
        if cost is None or op.view or not _joins(op, cost):
            continue
        shape = graph.spec(op.outputs[0]).shape
        candidates = [
            graph.values[index].producer
            for index in op.inputs
            if graph.values[index].producer >= 0
            and graph.consumers[index] == (op.index,)
            and index not in graph.outputs
            and graph.spec(index).shape == shape
            and _can_lead(graph, view, graph.values[index].producer)
        ]
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


def _can_lead(graph: ModelGraph, view: View, producer: int) -> bool:
    cost = view.costs[producer]
    return cost is not None and cost.kind != "movement" and not graph.ops[producer].view
