"""Which layer reads which channels of which other: all that the measures need to know of a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.strands import Run, Runs, append, covered, directs, normalised

Intervals: TypeAlias = tuple[tuple[int, int], ...]
"""Channel numbers as disjoint, sorted ranges [low, high)."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One call of an operation with a learnable mixing weight.

    `name` is where the weight is, with `#2` from its second use on; `op` the index of the operation in the graph,
    `module` the module that ran it. `channels` is how many it makes; `reads` gives, input channel by input channel, the
    source channels that reach it through operations without such a weight. `trainable` is False for a frozen weight:
    gradient passes through it all the same. `weight` is the name of the parameter that holds it, or that it is made of.
    `reached` is False for a layer that no gradient reaches, behind `detach` or where no output depends on it: it has no
    weight update, so nothing that it reads is listed.
    """

    name: str
    op: int
    module: str
    channels: int
    reads: Runs
    trainable: bool = True
    weight: str = ""
    reached: bool = True

    @property
    def read_channels(self) -> int:
        """Input channels that a trainable source reaches."""
        return sum(length for length, strands in self.reads if strands)

    @property
    def copies(self) -> int:
        """How many source channels, beyond one for each input channel, get the same gradient by an addition."""
        return sum(length * max(0, directs(strands) - 1) for length, strands in self.reads)

    @property
    def copied(self) -> frozenset[int]:
        """The layers some of whose channels share the gradient that they get here with another's."""
        runs = [strands for _, strands in self.reads if directs(strands) > 1]
        return frozenset(strand.layer for strands in runs for strand in strands if strand.direct)


def units_matching(pattern: str) -> Callable[[Layer], str]:
    """Units for `GradientFlow.by_unit`: layers whose module path has the same text up to the end of a match of the
    regular expression `pattern` (`denselayer\\d+`) are one; a layer without a match stays by itself.

    Raises:
        UsageError: the pattern is no regular expression.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from error

    def unit_of(layer: Layer) -> str:
        found = expression.search(layer.module)
        return layer.module[: found.end()] if found else layer.name

    return unit_of


@dataclass(frozen=True, slots=True)
class Flag:
    """Operations that were not followed exactly, `count` times, in `modules`.

    `mix`: a product of two activations, in which everything meets everything; `coarse`: positions were united because
    there were too many to tell apart; `unknown`: there is no rule for the operator, its operands were united.
    """

    kind: Literal["mix", "coarse", "unknown"]
    op: str
    count: int
    modules: tuple[str, ...]


@dataclass(frozen=True)
class GradientFlow:
    """The layers of a network in the order in which they run, and what the loss sees of them.

    The loss is one, and depends on every element of each of the `heads` outputs that a layer reaches.
    """

    network: str
    layers: tuple[Layer, ...]
    outputs: Runs
    flags: tuple[Flag, ...] = ()
    heads: int = 1

    @cached_property
    def intakes(self) -> tuple[Mapping[int, Intervals], ...]:
        """For every layer the channels of every other that it reads."""
        return tuple(_intake(layer.reads) for layer in self.layers)

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For every layer the layers that read it: its gradient sources, the loss aside."""
        found: list[list[int]] = [[] for _ in self.layers]
        for consumer, intake in enumerate(self.intakes):
            for producer in intake:
                found[producer].append(consumer)
        return tuple(map(tuple, found))

    @cached_property
    def source_sets(self) -> tuple[int, ...]:
        """The gradient sources of every layer as a bit set, with the loss as the bit behind the layers."""
        loss = len(self.layers)
        return tuple(
            sum(1 << consumer for consumer in consumers) | (layer in self.feeding_loss) << loss
            for layer, consumers in enumerate(self.consumers)
        )

    @cached_property
    def feeding_loss(self) -> frozenset[int]:
        """The layers that reach an output of the network, and so get gradient from the loss itself."""
        return frozenset(_intake(self.outputs))

    def by_unit(self, unit_of: Callable[[Layer], str]) -> GradientFlow:
        """The same with layers of one unit as one layer: its channels are theirs, and what they read of each other is
        inside. A bottleneck 1x1 then no longer counts as a gradient source of its own.

        Raises:
            UsageError: two units read each other, so neither runs before the other.
        """
        names = [unit_of(layer) for layer in self.layers]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        offsets: list[int] = []
        widths = dict.fromkeys(numbers, 0)
        for name, layer in zip(names, self.layers, strict=True):
            offsets.append(widths[name])
            widths[name] += layer.channels
        units = [numbers[name] for name in names]
        members: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            members.setdefault(name, []).append(index)
        layers = []
        for name, own in members.items():
            reads = [run for index in own for run in _renumbered(self.layers[index].reads, units, offsets)]
            inner = numbers[name]
            outer = tuple((n, tuple(s for s in strands if s.layer != inner)) for n, strands in reads)
            first = self.layers[own[0]]
            reached = any(self.layers[index].reached for index in own)
            layers.append(replace(first, name=name, module=name, channels=widths[name], reads=outer, reached=reached))
        flow = GradientFlow(
            self.network, tuple(layers), _renumbered(self.outputs, units, offsets), self.flags, self.heads
        )
        for number, intake in enumerate(flow.intakes):
            if any(producer > number for producer in intake):
                raise UsageError(f"the units do not run one after the other: {flow.layers[number].name}")
        return flow


def _renumbered(runs: Runs, units: list[int], offsets: list[int]) -> Runs:
    found: list[Run] = []
    for length, strands in runs:
        moved = [s._replace(layer=units[s.layer], low=s.low + offsets[s.layer], high=s.high + offsets[s.layer])
                 for s in strands]  # fmt: skip
        append(found, length, normalised(moved))
    return tuple(found)


def _intake(runs: Iterable[Run]) -> Mapping[int, Intervals]:
    strands = normalised(s._replace(direct=True) for length, own in runs for s in covered(length, own))
    found: dict[int, list[tuple[int, int]]] = {}
    for strand in strands:
        found.setdefault(strand.layer, []).append((strand.low, strand.high))
    return {layer: tuple(ranges) for layer, ranges in found.items()}
