"""Tells dense blocks by what they make: the channels that enter leave again, with new ones of equal width beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cspanalyze.graph import ModelGraph


@dataclass(frozen=True, slots=True)
class Growth:
    """`channels` are added to those that come in, in `steps` that read one another's; 0 and 0 if none are."""

    channels: int
    steps: int


NONE = Growth(0, 0)


def growth_between(graph: ModelGraph, source: int, made: int, start: int) -> Growth:
    """What the operations from `start` on add to `source`, an (N, C, H, W) map, where `made` is concatenated of it.

    Concatenations of concatenations count as one. New parts of different widths are none of a dense block's.
    """
    parts = list(_parts(graph, made, start))
    new = sorted((part for part in parts if part != source), key=lambda part: graph.values[part].producer)
    widths = {graph.spec(part).shape[1] for part in new}
    if parts.count(source) != 1 or len(widths) != 1:
        return NONE
    depth: dict[int, int] = {}
    for part in new:
        depth[part] = 1 + max((depth[each] for each in _ancestors(graph, part, start) if each in depth), default=0)
    return Growth(len(new) * widths.pop(), max(depth.values()))


def _parts(graph: ModelGraph, value: int, start: int) -> Iterator[int]:
    """What is concatenated along the channels to make a value; the value itself if it is made otherwise."""
    producer = graph.values[value].producer
    op = graph.ops[producer] if producer >= start else None
    dim = None if op is None else op.args[1] if len(op.args) > 1 else dict(op.kwargs).get("dim", 0)
    if op is None or op.name != "cat" or dim not in (1, 1 - len(graph.spec(value).shape)):
        yield value
        return
    for each in op.inputs:
        yield from _parts(graph, each, start)


def _ancestors(graph: ModelGraph, value: int, start: int) -> set[int]:
    """All values that a value is made of, by operations from `start` on."""
    found: set[int] = set()
    left = [value]
    while left:
        producer = graph.values[left.pop()].producer
        if producer >= start:
            new = set(graph.ops[producer].inputs) - found
            found |= new
            left += new
    return found
