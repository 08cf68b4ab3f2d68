"""Gradient terms: who reads which slice of whose channels, within any set of layers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cspanalyze.gradient_flow.flow import GradientFlow, Intervals


@dataclass(frozen=True, slots=True)
class Slice:
    """Channels of one producer that the same layers read, as many as there are.

    `where` are their numbers. The gradient of the slice enters the weight update of each of the `consumers`: that is
    one gradient *term* for each.
    """

    producer: int
    where: Intervals
    consumers: tuple[int, ...]

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return sum(high - low for low, high in self.where)

    @property
    def multiplicity(self) -> int:
        """M: in how many weight updates its gradient appears."""
        return len(self.consumers)


def slices(flow: GradientFlow, scope: Collection[int] | None = None) -> tuple[Slice, ...]:
    """The slices that layers in `scope` (all by default) read, by producer and first channel.

    What layers outside of the scope read does not count and does not divide: a block is measured by itself.
    """
    scope = range(len(flow.layers)) if scope is None else scope
    edges: dict[int, list[tuple[int, int]]] = {}
    for consumer in scope:
        for producer, intervals in flow.intakes[consumer].items():
            edges.setdefault(producer, []).extend((end, consumer) for interval in intervals for end in interval)
    found = [piece for producer in sorted(edges) for piece in _cut(producer, edges[producer])]
    return tuple(found)


def _cut(producer: int, edges: Iterable[tuple[int, int]]) -> list[Slice]:
    """Sweep over the channels; at each edge of an interval its consumer begins or ends to read."""
    pieces: dict[int, list[tuple[int, int]]] = {}
    reading = reached = 0
    for channel, consumer in sorted(edges):
        if reading and channel > reached:
            own = pieces.setdefault(reading, [])
            if own and own[-1][1] == reached:
                own[-1] = (own[-1][0], channel)
            else:
                own.append((reached, channel))
        reading ^= 1 << consumer
        reached = channel
    return [Slice(producer, tuple(where), _members(consumers)) for consumers, where in pieces.items()]


def _members(bits: int) -> tuple[int, ...]:
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(found)
