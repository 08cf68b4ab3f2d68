"""Weights of convolutions and classifiers alone: the parameter count of the CSPNet paper."""

from __future__ import annotations

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.results import Result, Row


@analysis("weights")
def weights(view: View) -> Result:
    """Elements of the weights that a convolution or a linear layer reads, without biases and norms.

    This is what "#Parameter" means in arXiv 1911.11929, tables 1 and 3. Tied weights count once; a weight that is
    computed anew in each pass (weight normalisation) is no parameter itself and does not count.
    """
    graph = view.graph
    kernels = {
        op.inputs[1]
        for op, cost in zip(graph.ops, view.costs, strict=True)
        if cost is not None and cost.kind in ("convolution", "linear") and len(op.inputs) > 1
    }
    sums: dict[str, int] = {}
    for parameter, group in zip(graph.parameters, view.grouping.of_parameter, strict=True):
        if parameter.kind == "parameter" and parameter.value in kernels:
            sums[group] = sums.get(group, 0) + parameter.numel
    rows = view.ordered((group, Row(group, "", amount)) for group, amount in sums.items())
    note = "weights of convolutions and linear layers, without norms and biases"
    return Result("weights", "elements", "architecture", rows, sum(sums.values()), note=note)
