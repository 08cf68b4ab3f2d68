"""Measured gradients of a network beside its twins: several seeded draws of weights and batches. No torch at import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cspanalyze.errors import TraceError, UsageError
from cspanalyze.gradient_flow import GradientFlow, duplication, gradient_flow, scopes
from cspanalyze.gradient_flow.conclusions import flow_notes, measured_conclusions
from cspanalyze.gradient_flow.measured import (
    Draw,
    GradientMeasurement,
    MeasuredNetwork,
    Structure,
    measured_network,
    paired_difference,
)
from cspanalyze.pipeline.gradients import refuse_without_gradient
from cspanalyze.pipeline.networks import Csp, loaded_of, twins_of, versions
from cspanalyze.results import CONTROL
from cspanalyze.sources import Loaded
from cspanalyze.sources.loaders import batches_of
from cspanalyze.steps import count

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.graph import ModelGraph
    from cspanalyze.measure.gradients import Batch, Batches
    from cspanalyze.pipeline.networks import Network

BASE = "base"
ENOUGH_SAMPLES, LEAST_SAMPLES = 32, 4


@dataclass(frozen=True, slots=True)
class Measuring:
    """How to measure: `draws` times with seeds 0, 1, ..., on `data`, with norms as in `mode`.

    `data` is "synthetic", "digits" or `file.py:loader`. With `training_steps` every network is trained first, with
    the draw's seed. `wake` sets norms whose scale is 0 to 1 before that.
    """

    draws: int = 5
    data: str = "synthetic"
    mode: Literal["train", "eval"] = "train"
    training_steps: int = 0
    wake: bool = False


def measure_gradients(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp | None = None,
    measuring: Measuring = Measuring(),
) -> GradientMeasurement:
    """Measure how much of the structure's gradient duplication is realised, in a network and its twins.

    A network that is named gets other weights in every draw; a module is measured as it is, on a copy, and draws differ
    in their batch alone. Networks of one draw share seed and batch, so that their differences are paired.

    Args:
        model, inputs, kwargs: as for `analyze`; the first dimension of the inputs is the batch.
        csp: how twins are made; None for the network alone.
        measuring: draws, data, mode.

    Raises:
        CspanalyzeError: the network cannot be built, made partial, traced or run; the data do not fit it.

    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    >>> record = measure_gradients(net, torch.rand(32, 8), measuring=Measuring(draws=2))
    >>> record.networks[0].variant, record.draws
    ('base', 2)
    """
    from cspanalyze.analyses.grouping import stage_rows

    loaded = loaded_of(model, inputs, kwargs)
    batches = _batches(loaded, measuring.data)
    found: dict[str, list[Draw]] = {}
    losses: dict[str, list[float]] = {}
    flows: dict[str, _Flow] = {}
    woken: dict[str, None] = {}
    rows: dict[str, str] | None = None
    for seed in range(measuring.draws):
        networks_of_draw, joined = _networks(loaded, csp, seed)
        for number, (name, network) in enumerate(networks_of_draw.items()):
            what = f"draw {seed + 1} of {measuring.draws}, {name}"
            count(what, seed + number / len(networks_of_draw), measuring.draws)
            prepared, loss, awake = _prepared(network, batches, measuring, seed)
            woken |= dict.fromkeys(awake)
            batch = batches.draw(seed)
            if name not in flows:
                graph = _graph(prepared, batch, measuring.mode, loaded.name)
                rows = stage_rows(graph, joined) if rows is None else rows  # those of the base, which comes first
                flows[name] = _Flow.of(graph, rows)
            found.setdefault(name, []).append(flows[name].measure(prepared, batch, measuring.mode, seed))
            losses.setdefault(name, []).extend(loss)
    networks = tuple(flows[name].network(name, draws, losses[name]) for name, draws in found.items())
    pairs = [(name, BASE) for name in found if name != BASE]
    pairs += [(name, CONTROL) for name in found if CONTROL in found and name not in (BASE, CONTROL)]
    batch = batches.draw(0)
    followed = [note for flow in flows.values() for note in flow_notes(flow.flow)]
    record = GradientMeasurement(
        model=loaded.name,
        source=loaded.source,
        inputs=_written(batch),
        data=batches.name,
        loss="cross-entropy" if batches.labelled else "product of the outputs with fixed Gaussian noise",
        mode=measuring.mode,
        batch=batch.size,
        draws=measuring.draws,
        training=_training(measuring),
        networks=networks,
        differences=tuple(paired_difference(a, b, found[a], found[b]) for a, b in pairs),
        notes=tuple(dict.fromkeys([*loaded.notes, *_notes(loaded, batch.size, list(woken), measuring), *followed])),
        versions=versions(),
    )
    return replace(record, sentences=measured_conclusions(record))


@dataclass(frozen=True)
class _Flow:
    """The structure of a network, traced in the mode in which it is measured."""

    graph: ModelGraph
    flow: GradientFlow
    groups: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, graph: ModelGraph, rows: Mapping[str, str]) -> _Flow:
        from cspanalyze.analyses import Grouping

        flow = gradient_flow(graph)
        refuse_without_gradient(flow)
        return cls(graph, flow, scopes(flow, Grouping.of(graph, rows=rows)))

    def measure(self, model: nn.Module, batch: Batch, mode: Literal["train", "eval"], seed: int) -> Draw:
        """One draw."""
        from cspanalyze.measure.gradients import measure

        return measure(model, batch, self.graph, self.flow, groups=self.groups, mode=mode, seed=seed)

    def network(self, name: str, draws: list[Draw], losses: list[float]) -> MeasuredNetwork:
        """All draws, with the structure's own ratios."""
        group_of = {layer: group for group, layers in self.groups.items() for layer in layers}
        names = [(layer.name, group_of[index]) for index, layer in enumerate(self.flow.layers)]
        stages = {group: Structure.of(duplication(self.flow, layers)) for group, layers in self.groups.items()}
        return measured_network(name, names, Structure.of(duplication(self.flow)), stages, draws, losses)


def _graph(model: nn.Module, batch: Batch, mode: Literal["train", "eval"], name: str) -> ModelGraph:
    from cspanalyze.plans import read_plan
    from cspanalyze.tracing import trace

    try:
        graph = trace(model, *batch.args, kwargs=batch.kwargs, name=name, mode=mode)
    except TraceError:  # control flow that depends on data
        graph = trace(model, *batch.args, kwargs=batch.kwargs, name=name, mode=mode, real=True)
    return replace(graph, plan=read_plan(model))


def _networks(loaded: Loaded, csp: Csp | None, seed: int) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """The network with the weights of this draw, and its twins; and the stage that each changed module became."""
    from cspanalyze.sources.construction import weights_drawn

    with weights_drawn(seed):
        real = loaded.with_data()
    if real is None:
        raise UsageError(f"gradients are measured with numbers, and {loaded.name} cannot be built with any")
    twins = twins_of(real.model, replace(csp, seed=seed), real.args, real.kwargs) if csp is not None else {}
    changes = next(iter(twins.values())).changes if twins else ()
    joined = {path: change.stage for change in changes for path in change.modules}
    return {BASE: real.model, **{name: twin.model for name, twin in twins.items()}}, joined


def _prepared(
    model: nn.Module, batches: Batches, measuring: Measuring, seed: int
) -> tuple[nn.Module, list[float], tuple[str, ...]]:
    """The network to measure: itself, or a copy that was woken and trained; the training's loss, and what was woken."""
    from cspanalyze.measure.gradients import own_copy, train, wake

    if not measuring.wake and not measuring.training_steps:
        return model, [], ()
    own = own_copy(model)
    for copied, given in zip(own.parameters(), model.parameters(), strict=True):
        copied.requires_grad_(given.requires_grad)  # what is frozen is not trained
    woken = wake(own) if measuring.wake else ()
    losses = [train(own, batches, measuring.training_steps, seed)] if measuring.training_steps else []
    return own, losses, woken


def _batches(loaded: Loaded, data: str) -> Batches:
    from cspanalyze.measure.gradients import digits, given, synthetic

    if data == "synthetic":
        return synthetic(loaded.args, loaded.kwargs)
    if data == "digits":
        if len(loaded.args) != 1 or loaded.kwargs:
            raise UsageError(f"--data digits needs a network of one image input, and {loaded.name} takes others")
        shape = loaded.args[0].shape
        return digits(shape[1:], shape[0])
    return given(data, batches_of(data))


def _written(batch: Batch) -> tuple[str, ...]:
    from cspanalyze.sources.inputs import written

    return written(batch.args, batch.kwargs)


def _training(measuring: Measuring) -> str:
    if not measuring.training_steps:
        return ""
    from cspanalyze.measure.gradients.training import LEARNING_RATE, MOMENTUM

    steps = measuring.training_steps
    return f"{steps} steps of SGD, learning rate {LEARNING_RATE}, momentum {MOMENTUM}, seeded by draw"


def _notes(loaded: Loaded, batch: int, woken: list[str], measuring: Measuring) -> list[str]:
    notes = []
    if loaded.source == "module" and measuring.draws > 1:
        notes.append("the weights are those given: draws differ in their batch alone")
    if batch < LEAST_SAMPLES:
        notes.append(f"similarity needs at least {LEAST_SAMPLES} samples, and the batch has {batch}: it is unknown")
    elif batch < ENOUGH_SAMPLES:
        notes.append(f"a batch of {batch} makes similarities noisy: {ENOUGH_SAMPLES} samples or more are better")
    if woken:
        notes.append(f"--wake set the scale of {len(woken)} norms from 0 to 1: {', '.join(woken[:3])}, ...")
    return notes
