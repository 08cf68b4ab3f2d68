"""What a training step costs beside its forward pass; unknown where the trace has no backward pass."""

from __future__ import annotations

from cspanalyze.analyses.memory import live_bytes, peak_of
from cspanalyze.analyses.registry import training_analysis
from cspanalyze.analyses.view import View
from cspanalyze.results import Result, Row


@training_analysis("backward_macs", "MAC")
def backward_macs(view: View) -> Result:
    """Multiply-adds of every operation of the backward pass, in the row of the layer that it differentiates.

    Counted from the recorded operations, not as a multiple of the forward: a layer whose input needs no gradient (the
    first) costs one forward instead of two, a frozen one none for its weight. What a kernel or a checkpoint computes
    again counts again: fused attention comes to 2.5 times its forward. The update of the weights is not in it.
    """
    return view.sum_costs("backward_macs", "MAC", lambda _, cost: cost.macs, phase="backward")


@training_analysis("backward_elementwise_flops", "FLOP")
def backward_elementwise_flops(view: View) -> Result:
    """FLOPs of everything in the backward pass that has no MACs, by the formula of each operator."""
    return view.sum_costs(
        "backward_elementwise_flops", "FLOP", lambda _, cost: cost.elementwise_flops, phase="backward"
    )


@training_analysis("saved_bytes", "bytes")
def saved_bytes(view: View) -> Result:
    """Bytes that autograd keeps from the forward pass until the backward pass needs them.

    Whole storages, each once, in the row of the operation that is the first to need it; activations, the network's
    inputs and what is made beside them (pooling indices, masks, batch statistics). Parameters and buffers are not in
    it: they are there anyway.
    """
    graph = view.graph
    found: set[int] = set()

    sums: dict[tuple[str, str], int] = {}
    for op, group in zip(graph.ops, view.grouping.of_op, strict=True):
        storages = {graph.spec(index).storage for index in op.saved} - found
        found.update(storages)
        kept = [graph.storages[index] for index in storages]
        amount = sum(storage.nbytes for storage in kept if storage.kind in ("activation", "input"))
        if amount:
            sums[group, op.name] = sums.get((group, op.name), 0) + amount
    return view.total_of("saved_bytes", "bytes", sums)


@training_analysis("gradient_bytes", "bytes")
def gradient_bytes(view: View) -> Result:
    """Bytes of the gradients of the parameters that got one, as they lie there after the step: tied parameters once."""
    sums: dict[str, int] = {}
    for parameter, group in zip(view.graph.parameters, view.grouping.of_parameter, strict=True):
        if parameter.gradient is not None:
            sums[group] = sums.get(group, 0) + view.graph.spec(parameter.gradient).nbytes
    rows = view.ordered((group, Row(group, "", amount)) for group, amount in sums.items())
    return Result("gradient_bytes", "bytes", "trace", rows, sum(sums.values()))


@training_analysis("training_peak_bytes", "bytes")
def training_peak_bytes(view: View) -> Result:
    """Largest number of bytes live at once in the forward and the backward pass together.

    In it: inputs, activations, what is saved of them, gradients of activations, and what the backward operators
    allocate for themselves as recorded. Not in it: parameters and buffers, the gradients of parameters (see
    `gradient_bytes`; at the end of the step all of them are there), the state of the optimiser, and the library's
    workspace. A group's figure is the peak while its own operations run, forward or backward.
    """
    graph = view.graph
    gradients = [parameter.gradient for parameter in graph.parameters if parameter.gradient is not None]
    left_out = {graph.spec(value).storage for value in gradients}
    return peak_of(view, "training_peak_bytes", live_bytes(graph, left_out))
