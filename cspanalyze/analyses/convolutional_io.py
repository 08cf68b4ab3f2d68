"""CIO from the trace, and what it leaves out: concatenations, residual additions, MACs per element."""

from __future__ import annotations

from statistics import median

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.costs import Cost
from cspanalyze.graph import ModelGraph, OpNode
from cspanalyze.results import Number, Result


def _weightless_io(op: OpNode, graph: ModelGraph) -> int:
    """Elements of the input map and of the output map."""
    return graph.spec(op.inputs[0]).numel + graph.spec(op.outputs[0]).numel


def _is_global_mean(op: OpNode, graph: ModelGraph) -> bool:
    """`x.mean((2, 3))` is a global average pool written as a reduction."""
    if op.target != "aten.mean" or len(op.args) < 2 or not isinstance(op.args[1], tuple):
        return False
    shape = graph.spec(op.inputs[0]).shape
    return len(shape) == 4 and {dim % 4 for dim in op.args[1] if isinstance(dim, int)} == {2, 3}


@analysis("cio")
def cio(view: View) -> Result:
    """Convolutional input/output: sum over every convolution of its input elements + its output elements.

    HarDNet (ICCV 2019), eq. 1. No weights, bias, normalisation, activation, residual add, pooling, concatenation or
    linear layer; groups do not matter; a tensor that two convolutions read counts twice.
    """

    def value(op: OpNode, cost: Cost) -> int:
        return _weightless_io(op, view.graph) if cost.kind == "convolution" else 0

    return view.sum_costs("cio", "elements", value, note="rule conv (HarDNet, ICCV 2019, eq. 1)")


@analysis("cio_pool")
def cio_pool(view: View) -> Result:
    """CIO with every max and average pool counted like a convolution: the rule of Figure 8 of the CSPNet paper."""

    def value(op: OpNode, cost: Cost) -> int:
        counted = cost.kind in ("convolution", "max pooling", "pooling") or _is_global_mean(op, view.graph)
        return _weightless_io(op, view.graph) if counted else 0

    return view.sum_costs("cio_pool", "elements", value, note="rule conv+pool (CSPNet, Figure 8)")


@analysis("concat_elements")
def concat_elements(view: View) -> Result:
    """Elements that explicit concatenations read and write. CIO leaves them out."""

    def value(op: OpNode) -> int:
        if op.target not in ("aten.cat", "aten.stack"):
            return 0
        return sum(spec.numel for spec in (*view.graph.input_specs(op), *view.graph.output_specs(op)))

    return view.sum_operations("concat_elements", "elements", value)


@analysis("residual_add_elements")
def residual_add_elements(view: View) -> Result:
    """Elements that additions of two maps of one shape read and write, unfused: 3 per element, 2 if a map is added to
    itself. CIO leaves them out. The sum with a weight, or with a slice of one, is no residual addition."""

    def value(op: OpNode) -> int:
        if op.target not in ("aten.add", "aten.add_") or len(op.inputs) != 2:
            return 0
        first, second = view.graph.input_specs(op)
        storages = (view.graph.storages[spec.storage].kind for spec in (first, second))
        if first.shape != second.shape or any(kind in ("parameter", "buffer", "constant") for kind in storages):
            return 0
        return (1 + len(set(op.inputs))) * first.numel

    return view.sum_operations("residual_add_elements", "elements", value)


def _macs_per_element(view: View) -> dict[str, list[float]]:
    """MoC (MACs / CIO) of every convolution, by group."""
    found: dict[str, list[float]] = {}
    for op, cost, group in zip(view.graph.ops, view.costs, view.grouping.of_op, strict=True):
        if cost is not None and cost.kind == "convolution" and cost.macs:
            found.setdefault(group, []).append(cost.macs / _weightless_io(op, view.graph))
    return found


@analysis("moc_min")
def moc_min(view: View) -> Result:
    """Lowest MACs per CIO element among the convolutions: layers below a platform's ratio are bound by memory."""
    found = _macs_per_element(view)
    groups: dict[str, Number] = {group: min(values) for group, values in found.items()}
    everything = [value for values in found.values() for value in values]
    return view.one_per_group("moc_min", "MAC/element", groups, min(everything, default=None))


@analysis("moc_median")
def moc_median(view: View) -> Result:
    """Median MACs per CIO element among the convolutions."""
    found = _macs_per_element(view)
    groups: dict[str, Number] = {group: median(values) for group, values in found.items()}
    everything = [value for values in found.values() for value in values]
    return view.one_per_group("moc_median", "MAC/element", groups, median(everything) if everything else None)
