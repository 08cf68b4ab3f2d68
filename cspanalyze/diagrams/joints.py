"""Ways round: where two ways part and meet again, and one of them does next to nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from cspanalyze.diagrams.record import Edge

_MOST_LAYERS = 1


def bypasses(edges: Sequence[Edge], layers: Mapping[str, int], gates: Collection[str] = ()) -> list[Edge]:
    """The edges, those of a way round marked.

    From every node where ways meet each is followed back to where it parted from another: as long as nodes have one
    edge in and one out. It is a way round if it passes no layer with weights, or one (a projection) where just two
    ways meet, and another way between the same two nodes passes more. `layers` is how many each node holds; at `gates`,
    where one way is multiplied with another, none is a way round.
    """
    into: dict[str, list[int]] = {}
    out: dict[str, list[int]] = {}
    for number, edge in enumerate(edges):
        into.setdefault(edge.target, []).append(number)
        out.setdefault(edge.source, []).append(number)
    order = _in_order(edges, into)
    marked: set[int] = set()
    for meeting, arriving in into.items():
        if len(arriving) < 2 or meeting in gates:
            continue
        for number in arriving:
            way, weight = _followed_back(number, edges, into, out, layers)
            parting = edges[way[-1]].source
            # One of several branches of one layer each is no way round, as in an inception module.
            if weight > (_MOST_LAYERS if len(arriving) == 2 else 0) or len(out[parting]) < 2:
                continue
            most = _heaviest(parting, meeting, edges, into, layers, order)
            if most > weight:
                marked.update(way)
    return [replace(edge, bypass=True) if number in marked else edge for number, edge in enumerate(edges)]


def _followed_back(
    number: int,
    edges: Sequence[Edge],
    into: Mapping[str, Sequence[int]],
    out: Mapping[str, Sequence[int]],
    layers: Mapping[str, int],
) -> tuple[list[int], int]:
    """The edges of a way, from its end, and the layers on it."""
    way, weight = [number], 0
    while True:
        node = edges[way[-1]].source
        if len(into.get(node, ())) != 1 or len(out[node]) != 1:
            return way, weight
        weight += layers.get(node, 0)
        way.append(into[node][0])


def _heaviest(
    start: str,
    end: str,
    edges: Sequence[Edge],
    into: Mapping[str, Sequence[int]],
    layers: Mapping[str, int],
    order: Mapping[str, int],
) -> int:
    """The most layers that any way from `start` to `end` passes; -1 if there is none."""
    reached: dict[str, int] = {}
    waiting = [end]
    between: set[str] = {end}
    while waiting:
        for number in into.get(waiting.pop(), ()):
            node = edges[number].source
            if node not in between and order[node] > order[start]:
                between.add(node)
                waiting.append(node)
    for node in sorted(between, key=order.__getitem__):
        best = -1
        for number in into.get(node, ()):
            source = edges[number].source
            before = 0 if source == start else reached.get(source, -1)
            best = max(best, before)
        if best >= 0:
            reached[node] = best + (layers.get(node, 0) if node != end else 0)
    return reached.get(end, -1)


def _in_order(edges: Sequence[Edge], into: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """A number for every node, larger than those of all nodes before it."""
    following: dict[str, list[str]] = {}
    missing = {edge.source: 0 for edge in edges} | {node: len(arriving) for node, arriving in into.items()}
    for edge in edges:
        following.setdefault(edge.source, []).append(edge.target)
    ready = [node for node, count in missing.items() if not count]
    order: dict[str, int] = {}
    while ready:
        node = ready.pop()
        order[node] = len(order)
        for target in following.get(node, ()):
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return order | {node: len(order) for node in missing if node not in order}
