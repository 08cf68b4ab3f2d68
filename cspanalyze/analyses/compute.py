"""MACs, FLOPs under each convention, activations and parameters."""

from __future__ import annotations

from collections.abc import Callable

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.costs import Cost
from cspanalyze.graph import OpNode, Parameter
from cspanalyze.results import Result, Row


@analysis("macs")
def macs(view: View) -> Result:
    """Multiply-adds of convolutions, linear layers, matrix products, attention and recurrent layers. No bias adds."""
    return view.sum_costs("macs", "MAC", lambda _, cost: cost.macs)


@analysis("flops")
def flops(view: View) -> Result:
    """2 x MACs. What has no MACs is in `elementwise_flops`."""
    return view.sum_costs("flops", "FLOP", lambda _, cost: 2 * cost.macs)


@analysis("elementwise_flops")
def elementwise_flops(view: View) -> Result:
    """FLOPs of everything without MACs: element-wise, normalisation, pooling, interpolation, reductions."""
    return view.sum_costs("elementwise_flops", "FLOP", lambda _, cost: cost.elementwise_flops)


@analysis("flops_fvcore")
def flops_fvcore(view: View) -> Result:
    """What fvcore prints and most published tables hold.

    MACs + 2 x batch norm elements (evaluation) + 5 x affine layer/group norm elements + up-sampled elements + elements
    that enter an adaptive pool.
    """
    return view.sum_costs("flops_fvcore", "FLOP (fvcore)", lambda _, cost: cost.macs + cost.fvcore_extra)


@analysis("flops_darknet")
def flops_darknet(view: View) -> Result:
    """Darknet's BFLOPs x 1e9: 2 x MACs of the convolutions + kernel² x output elements of every max pool.

    Linear layers count like convolutions: Darknet's classifiers are 1x1 convolutions.
    """

    def value(_: OpNode, cost: Cost) -> int:
        if cost.kind in ("convolution", "linear"):
            return 2 * cost.macs
        return cost.elementwise_flops if cost.kind == "max pooling" else 0

    return view.sum_costs("flops_darknet", "FLOP (Darknet)", value)


@analysis("activations")
def activations(view: View) -> Result:
    """Output elements of every operation with MACs, both products of an attention included ("macts")."""
    return view.sum_costs("activations", "elements", lambda _, cost: cost.activations)


def _count(view: View, metric: str, keep: Callable[[Parameter], bool]) -> Result:
    sums: dict[str, int] = {}
    tied = []
    for parameter, group in zip(view.graph.parameters, view.grouping.of_parameter, strict=True):
        if keep(parameter):
            sums[group] = sums.get(group, 0) + parameter.numel
            if len(parameter.names) > 1:
                tied.append(" = ".join(parameter.names))
    rows = view.ordered((group, Row(group, "", amount)) for group, amount in sums.items())
    note = f"tied, counted once: {'; '.join(tied)}" if tied else ""
    return Result(metric, "elements", "architecture", rows, sum(sums.values()), note=note)


@analysis("params")
def params(view: View) -> Result:
    """Elements of every parameter, tied ones once."""
    return _count(view, "params", lambda parameter: parameter.kind == "parameter")


@analysis("params_trainable")
def params_trainable(view: View) -> Result:
    """Elements of the parameters that require a gradient."""
    return _count(view, "params_trainable", lambda p: p.kind == "parameter" and p.trainable)


@analysis("buffers")
def buffers(view: View) -> Result:
    """Elements of every buffer (running statistics, counters, tables)."""
    return _count(view, "buffers", lambda parameter: parameter.kind == "buffer")
