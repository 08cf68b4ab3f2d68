"""One draw: a network's own copy, one batch, one backward pass, and the figures of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from statistics import median
from types import MappingProxyType

import torch
from torch import Tensor, nn

from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import GradientFlow
from cspanalyze.gradient_flow.measured import Draw, LayerDraw
from cspanalyze.gradient_flow.weights import RECURRENT
from cspanalyze.graph import ModelGraph
from cspanalyze.measure.gradients.agreement import agreement, realised, slice_figures
from cspanalyze.measure.gradients.batches import Batch
from cspanalyze.measure.gradients.layer_nodes import LayerNode, find_layers, matched
from cspanalyze.measure.gradients.recording import backward_pass
from cspanalyze.measure.gradients.similarity import effective_number, mean_off_diagonal, noise_matrix
from cspanalyze.measure.gradients.statistics import Statistics
from cspanalyze.measure.gradients.training import Mode, forward
from cspanalyze.room import refuse_without_room
from cspanalyze.tracing.untouched import untouched
from cspanalyze.tracing.values import tensors_in

MICRO_BATCHES = 4


def measure(
    model: nn.Module,
    batch: Batch,
    graph: ModelGraph,
    flow: GradientFlow,
    *,
    groups: Mapping[str, Sequence[int]] = MappingProxyType({}),
    mode: Mode = "train",
    seed: int = 0,
) -> Draw:
    """Run forward and backward once on a copy of the model, and the weights' gradients of four parts of the batch.

    The caller's model is not run: its weights, buffers, hooks, mode and gradients stay as they are, and so does the
    random state of torch, Python and NumPy.

    Args:
        model: on any device; all its parameters get gradients, frozen ones too.
        batch: what to feed it.
        graph, flow: its trace in the same mode, and the structure of it.
        groups: sets of layers, by index, whose figures are wanted too.
        mode: whether norms take the batch's statistics (and dropout is on) or their running ones.
        seed: of dropout, of the fixed random direction in which outputs without targets are differentiated, and of the
            null.

    Raises:
        UsageError: the model cannot be copied or run, takes too much memory, or ran other layers than were traced.
    """
    _refuse_recurrent(graph, flow)
    _refuse_if_too_large(graph)
    own = own_copy(model)
    with untouched(own, mode), torch.enable_grad():
        torch.manual_seed(seed)
        named: dict[int, frozenset[str]] = {}
        for name, parameter in own.named_parameters(remove_duplicate=False):
            named[id(parameter)] = named.get(id(parameter), frozenset()) | {name}
        parameters = dict(own.named_parameters())
        inputs = batch.differentiable()
        output, loss = forward(own, inputs, seed)
        layers = matched(find_layers(tensors_in([output]), named), flow)
        statistics = Statistics(flow, layers, batch.size, _batched(graph, flow, batch.size))
        found = _backward(loss, list(parameters.values()), layers, statistics)
        gradients = dict(zip(parameters, found, strict=True))
        del output, loss, layers, found, inputs  # they hold the autograd graph
        statistics.layers = {}
        ratios = signal_to_noise(own, batch, seed)
    by_name = {name: first for first, names in _aliases(named, parameters).items() for name in names}
    weights = [by_name.get(layer.weight, "") for layer in flow.layers]
    by_layer = [(gradients.get(name), ratios.get(name)) for name in weights]
    return _draw(statistics, by_layer, groups, seed)


def own_copy(model: nn.Module) -> nn.Module:
    """A deep copy all of whose parameters get gradients.

    Raises:
        UsageError: the model cannot be copied, or holds tensors without data.
    """
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise UsageError("gradients are measured with numbers, and this network has tensors on the meta device")
    try:
        own = copy.deepcopy(model)
    except Exception as error:
        raise UsageError(f"the network cannot be copied ({type(error).__name__}: {error})") from error
    return own.requires_grad_(True)


def signal_to_noise(model: nn.Module, batch: Batch, seed: int) -> dict[str, float | None]:
    """Signal-to-noise ratio of every parameter's gradient over n parts of the batch.

    s^2 = sum |g_b - mean|^2 / (n - 1); SNR = (|mean|^2 - s^2/n) / s^2, which is 0 on average where there is no signal.
    Half of the batch is enough for an estimate, and halves its cost. Empty for a batch that cannot be divided.
    """
    parts = batch.parts(MICRO_BATCHES)
    if len(parts) < 2:
        return {}
    names = [name for name, _ in model.named_parameters()]
    parameters = list(model.parameters())
    sums: list[Tensor | None] = [None] * len(parameters)
    squares = [0.0] * len(parameters)
    for part in parts:
        _, loss = forward(model, part.differentiable(), seed)
        for index, gradient in enumerate(torch.autograd.grad(loss, parameters, allow_unused=True)):
            if gradient is not None:
                before = sums[index]
                squares[index] += float(gradient.square().sum())
                sums[index] = gradient if before is None else before.add_(gradient)
    found: dict[str, float | None] = {}
    n = len(parts)
    for name, total, square in zip(names, sums, squares, strict=True):
        mean = float((total / n).square().sum()) if total is not None else 0.0
        noise = (square - n * mean) / (n - 1)
        found[name] = (mean - noise / n) / noise if noise > 0 else None
    return found


def _refuse_recurrent(graph: ModelGraph, flow: GradientFlow) -> None:
    found = [layer.name for layer in flow.layers if graph.ops[layer.op].name in RECURRENT]
    if found:
        raise UsageError(
            f"gradients through recurrent layers are not measured: {', '.join(found[:3])} counts as one layer in the "
            "structure, and autograd differentiates its steps one by one"
        )


def _refuse_if_too_large(graph: ModelGraph) -> None:
    """Autograd keeps most of what the forward pass makes; half as much again are contributions that wait."""
    made = sum(spec.nbytes for op in graph.ops if not op.view for spec in graph.output_specs(op))
    refuse_without_room("measuring", 3 * made // 2)


def _backward(
    loss: Tensor, parameters: Sequence[Tensor], layers: Mapping[int, LayerNode], statistics: Statistics
) -> tuple[Tensor | None, ...]:
    try:
        return backward_pass(loss, parameters, layers, statistics)
    except RuntimeError as error:  # reentrant checkpoints, operators that cannot be differentiated
        said = str(error).strip().partition("\n")[0]
        raise UsageError(f"the network cannot be differentiated: {said}") from error


def _batched(graph: ModelGraph, flow: GradientFlow, samples: int) -> frozenset[int]:
    """The layers whose outputs have the samples in front, alone or with positions of each sample behind it."""
    first = [graph.spec(graph.ops[layer.op].outputs[0]).shape[:1] for layer in flow.layers]
    return frozenset(index for index, shape in enumerate(first) if shape and shape[0] % samples == 0)


def _aliases(named: Mapping[int, frozenset[str]], parameters: Mapping[str, Tensor]) -> dict[str, frozenset[str]]:
    return {name: named[id(parameter)] for name, parameter in parameters.items()}


def _draw(
    statistics: Statistics,
    weights: Sequence[tuple[Tensor | None, float | None]],
    groups: Mapping[str, Sequence[int]],
    seed: int,
) -> Draw:
    """The figures; `weights` are every layer's weight gradient and its signal-to-noise ratio."""
    layers = tuple(
        LayerDraw(
            statistics.norms.get(index),
            None if gradient is None else float(gradient.norm()),
            ratio,
            *agreement(slice_figures(statistics.by_producer.get(index, []))),
        )
        for index, (gradient, ratio) in enumerate(weights)
    )
    arrived = [each for own in statistics.by_producer.values() for each in own]
    generator = torch.Generator().manual_seed(seed)
    figures, nulls = realised(slice_figures(arrived), generator)
    known, similar = statistics.similarity() or ([], torch.empty(0, 0))
    if known:
        noise = noise_matrix(len(known), statistics.samples, generator)
        for values, each in ((figures, similar), (nulls, noise)):
            values["layer_similarity"] = mean_off_diagonal(each)
            values["layer_duplication"] = (len(known) - effective_number(each)) / (len(known) - 1)
    figures |= zip(("same_consumer", "same_producer", "unrelated"), statistics.contrast(), strict=True)
    one, neither = figures["same_consumer"], figures["unrelated"]
    figures["term_contrast"] = one - neither if one is not None and neither is not None else None
    nulls |= dict.fromkeys(("same_consumer", "same_producer", "unrelated", "term_contrast", "signal_to_noise"), 0.0)
    known_ratios = [ratio for _, ratio in weights if ratio is not None]
    figures["signal_to_noise"] = median(known_ratios) if known_ratios else None
    parts = {}
    for name, members in groups.items():
        parts[name], _ = realised(slice_figures(arrived, members), generator)
        inside = [place for place, layer in enumerate(known) if layer in members]
        parts[name]["layer_similarity"] = mean_off_diagonal(similar[inside][:, inside]) if len(inside) > 1 else None
    return Draw(layers, figures, nulls, _square(len(layers), known, similar), parts)


def _square(size: int, known: Sequence[int], found: Tensor) -> tuple[tuple[float | None, ...], ...]:
    """The matrix with a row and a column for every layer, None where they are not known."""
    matrix: list[list[float | None]] = [[None] * size for _ in range(size)]
    for row, values in zip(known, found.tolist(), strict=True):
        for column, value in zip(known, values, strict=True):
            matrix[row][column] = value
    return tuple(map(tuple, matrix))
