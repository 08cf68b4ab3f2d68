"""Follow every source channel through a traced network: `gradient_flow`, the way in to this package."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod
from typing import Literal

from cspanalyze.gradient_flow.flow import Flag, GradientFlow, Layer
from cspanalyze.gradient_flow.placement import Range, pasted, placement, viewed
from cspanalyze.gradient_flow.rules import Passage, rule_of
from cspanalyze.gradient_flow.rules.uniting import MIXERS, mixed
from cspanalyze.gradient_flow.shadows import Shadow, TooFine, collapse, constant, overlay, own_channels, reorder, spread
from cspanalyze.gradient_flow.strands import Run, Runs, Strands, append, blurred, union_of
from cspanalyze.gradient_flow.weights import RECURRENT, Mixing, Read, mixing_of
from cspanalyze.graph import UPDATE, ModelGraph, OpNode, TensorSpec


def gradient_flow(graph: ModelGraph) -> GradientFlow:
    """Which layer reads which channels of which other, from the forward pass of a traced network.

    A *layer* is one call of an operation with a learnable mixing weight (convolution, linear layer, product with a
    parameter, embedding, recurrent layer); its output channels are *sources*. They are followed element by element
    through everything else: moves exactly, sums and element-wise operations by union, reductions and pools by union
    over what they reduce. `detach`, `torch.no_grad()`, integers, comparisons and rounding cut. What is not exact is
    listed in `flags`.

    The loss is taken to depend on every floating-point output. A layer from which none is reached gets no gradient: it
    has no weight update, reads nothing here, and `reached` says so.
    """
    return _Walk(graph.forward_part).flow()


class _Walk:
    """Carries shadows from the first operation to the last."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._layers: list[Layer] = []
        self._flags: dict[tuple[Literal["mix", "coarse", "unknown"], str], list[str]] = {}
        self._used: dict[str, int] = {}
        self._shadows = {v.index: constant(len(v.spec.shape)) for v in graph.values if v.producer < 0}
        self._weights = {v.index: v.name for v in graph.values if v.kind == "parameter"}
        self._given = set(graph.inputs)  # values that depend on the network's inputs
        self._frozen = {p.names[0] for p in graph.parameters if not p.trainable}
        self._unseen: set[int] = set()  # what was written with gradients switched off

    def flow(self) -> GradientFlow:
        for op in self._graph.ops:
            self._visit(op)
        values = dict.fromkeys(value for value in self._graph.outputs if value in self._shadows)
        seen = [(1, self._shadows[value].everything) for value in values if not self._shadows[value].empty]
        outputs = union_of(seen)
        flags = tuple(Flag(kind, op, len(where), tuple(dict.fromkeys(where)))
                      for (kind, op), where in sorted(self._flags.items()))  # fmt: skip
        layers = _with_reached(self._layers, outputs)
        return GradientFlow(self._graph.name, layers, ((1, outputs),), flags, len(seen))

    def _visit(self, op: OpNode) -> None:
        if op.detached and op.target != UPDATE:
            self._without_gradient(op)
            return
        mixing = mixing_of(op, self._graph, self._weights.__contains__)
        if mixing is not None:
            self._set(op, self._layer_outputs(op, mixing))
        elif all(self._shadows[value].empty for value in op.inputs):
            self._without_sources(op)
        else:
            self._set(op, self._passed(op))
        if any(value in self._given for value in op.inputs):
            self._given.update(op.outputs)

    def _without_gradient(self, op: OpNode) -> None:
        """Gradients are switched off: nothing reaches what is made, and what is written stays as autograd has it."""
        mixing = mixing_of(op, self._graph, self._weights.__contains__)
        if mixing is not None:
            self._layer_outputs(op, mixing)
        written = op.outputs[: len(op.writes)]
        for value, place in zip(written, op.writes, strict=True):
            self._shadows[value] = self._shadows[op.inputs[place]]
        for value in op.outputs[len(op.writes) :]:
            self._shadows[value] = constant(len(self._graph.spec(value).shape))
        self._unseen.update(written)

    def _without_sources(self, op: OpNode) -> None:
        """No source is in reach: what is computed from parameters alone is a weight as they are."""
        for value in op.outputs:
            self._shadows[value] = constant(len(self._graph.spec(value).shape))
        names = [self._weights[value] for value in op.inputs if value in self._weights]
        if names and not any(value in self._given for value in op.inputs):
            self._weights.update(dict.fromkeys(op.outputs, names[0]))

    def _set(self, op: OpNode, results: Shadow | Sequence[Shadow]) -> None:
        """Give every output its shadow; integers and booleans pass no gradient."""
        made = op.outputs[len(op.writes) :] or op.outputs
        for value in op.outputs:  # running statistics and the like, which are written besides
            self._shadows[value] = constant(len(self._graph.spec(value).shape))
        shadows = [results] * len(made) if isinstance(results, Shadow) else results
        for value, shadow in zip(made, shadows, strict=False):
            spec = self._graph.spec(value)
            if spec.dtype.startswith(("float", "bfloat", "complex")):
                self._shadows[value] = _fitted(shadow, spec)

    def _layer_outputs(self, op: OpNode, mixing: Mixing) -> list[Shadow]:
        layer = len(self._layers)
        specs = [self._graph.spec(value) for value in op.outputs]
        runs: list[Run] = []
        for read in mixing.reads:
            for length, strands in self._channel_runs(op, read):
                append(runs, length, strands)
        own = own_channels(specs[0].shape, mixing.axes, layer)
        name = self._name(op, mixing)
        weight = self._weights[mixing.weight]
        trainable = weight not in self._frozen
        channels = prod(own.extents)
        self._layers.append(Layer(name, op.index, op.module, channels, tuple(runs), trainable, weight))
        added = self._shadows.get(mixing.added)
        if added is not None:
            return [overlay([own, added], specs[0].shape)]
        # The states of a recurrent layer hold its channels too, in another arrangement.
        return [own, *(constant(len(spec.shape), blurred(own.everything)) for spec in specs[1:])]

    def _channel_runs(self, op: OpNode, read: Read) -> Runs:
        """The sources of a tensor by input channel: united over all dimensions but those that number channels."""
        shape = self._graph.spec(read.value).shape
        shadow = collapse(self._shadows[read.value], [a for a in range(len(shape)) if a not in read.axes])
        try:
            return spread(shadow, [size if a in read.axes else 1 for a, size in enumerate(shape)]).runs
        except TooFine:
            self._flag("coarse", op)
            return ((prod(shape[a] for a in read.axes), blurred(shadow.everything)),)

    def _name(self, op: OpNode, mixing: Mixing) -> str:
        """Path of the weight, or of the module where that borrowed another's; `#2` from the second use on."""
        weight = self._weights[mixing.weight]
        if op.name in RECURRENT:  # it has several weights
            weight = f"{weight.rpartition('.')[0] or op.name}.weight"
        inside = not op.module or weight.startswith(f"{op.module}.")
        name = weight.removesuffix(".weight") if inside else op.module
        count = self._used[name] = self._used.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    def _passed(self, op: OpNode) -> Shadow | list[Shadow]:
        call = Passage(op, self._graph, self._shadows)
        try:
            if op.target == UPDATE:
                return self._updated(op)
            rule = rule_of(op)
            if rule is not None:
                result = rule(call)
                if call.coarse:
                    self._flag("coarse", op)
                return result
            if op.name.removesuffix("_") in MIXERS:
                self._flag("mix", op)
                return mixed(call)
            if op.view:
                return self._viewed(op)
        except TooFine:
            self._flag("coarse", op)
            return self._united(op)
        self._flag("unknown", op)
        return self._united(op)

    def _viewed(self, op: OpNode) -> list[Shadow]:
        base = self._graph.spec(op.inputs[0])
        shadows = []
        for spec in self._graph.output_specs(op):
            box = placement(base, spec)
            if box is None:
                raise TooFine
            shadows.append(self._boxed(op, self._shadows[op.inputs[0]], box, len(spec.shape)))
        return shadows

    def _boxed(self, op: OpNode, shadow: Shadow, box: Sequence[Range], rank: int) -> Shadow:
        """The shadow of a view; while it has too many pieces, the shortest dimension in which it varies is united."""
        try:
            return viewed(shadow, box, rank)
        except TooFine:
            self._flag("coarse", op)
        for axis in sorted(range(len(box)), key=lambda axis: shadow.extents[axis]):
            shadow = collapse(shadow, [axis])
            with suppress(TooFine):
                return viewed(shadow, box, rank)
        raise TooFine

    def _updated(self, op: OpNode) -> Shadow:
        """A base after a write through a view of it, or a view after a write to its base."""
        old, written = op.inputs
        if written in self._unseen:
            self._unseen.update(op.outputs)
            return self._shadows[old]
        base, patch = self._graph.spec(old), self._graph.spec(written)
        box = placement(base, patch)
        if box is not None:
            return pasted(self._shadows[old], base.shape, self._shadows[written], box)
        box = placement(patch, base)
        if box is None:
            raise TooFine
        return viewed(self._shadows[written], box, len(base.shape))

    def _united(self, op: OpNode) -> Shadow:
        """Element-wise union where the shapes allow it, of everything otherwise."""
        made = self._graph.output_specs(op)[0].shape
        read = [(self._shadows[value], self._graph.spec(value).shape) for value in op.inputs]
        if all(_broadcasts(shape, made) for shadow, shape in read if not shadow.empty):
            try:
                union = overlay([shadow for shadow, _ in read], made)
                return replace(union, runs=tuple((n, blurred(strands)) for n, strands in union.runs))
            except TooFine:
                pass
        return constant(len(made), blurred(union_of((1, shadow.everything) for shadow, _ in read)))

    def _flag(self, kind: Literal["mix", "coarse", "unknown"], op: OpNode) -> None:
        self._flags.setdefault((kind, op.target), []).append(op.module)


def _with_reached(layers: Sequence[Layer], outputs: Strands) -> tuple[Layer, ...]:
    """The layers, those without a way to an output marked and reading nothing."""
    reached = {strand.layer for strand in outputs}
    for index in reversed(range(len(layers))):
        if index in reached:
            reached.update(strand.layer for _, strands in layers[index].reads for strand in strands)
    return tuple(
        layer if index in reached else replace(layer, reads=(), reached=False) for index, layer in enumerate(layers)
    )


def _fitted(shadow: Shadow, spec: TensorSpec) -> Shadow:
    """The shadow as one of a tensor of that layout; a result of another rank than the rule's first gets the union."""
    rank = len(spec.shape)
    if len(shadow.extents) == rank and all(e in (1, n) for e, n in zip(shadow.extents, spec.shape, strict=True)):
        return shadow
    if prod(shadow.extents) == 1 and len(shadow.extents) < rank:
        return reorder(shadow, [None] * (rank - len(shadow.extents)) + list(range(len(shadow.extents))))
    return constant(rank, shadow.everything)


def _broadcasts(shape: Sequence[int], target: Sequence[int]) -> bool:
    if len(shape) > len(target):
        return False
    return all(size in (1, to) for size, to in zip(reversed(shape), reversed(target), strict=False))
