"""Equal neighbours as one: blocks that repeat are drawn once.

Two rules keep this honest. What a container does itself (an addition, a concatenation) stays a node of its own; and
only neighbours of the same signature that are joined by an edge are one.
"""

from __future__ import annotations

from collections.abc import Sequence

from cspanalyze.diagrams.boxes import Box
from cspanalyze.diagrams.naming import word
from cspanalyze.diagrams.wiring import Wiring
from cspanalyze.graph import ModelGraph, OpNode

_FEWEST_GROWING = 3  # two that differ are two, three with equal steps are a series


def runs(siblings: Sequence[Box], wiring: Wiring) -> list[tuple[Box, ...]]:
    """The siblings in order, neighbours that are drawn as one together."""
    found: list[tuple[Box, ...]] = []
    position = 0
    while position < len(siblings):
        length = max(_equal(siblings, position, wiring), _growing(siblings, position, wiring))
        found.append(tuple(siblings[position : position + length]))
        position += length
    return found


def _equal(siblings: Sequence[Box], start: int, wiring: Wiring) -> int:
    """How many siblings from `start` on are the same, shapes included."""
    first = siblings[start]
    if first.role == "op":
        return 1
    signature = _signature(first, wiring.graph)
    stop = start + 1
    while stop < len(siblings) and wiring.joined(siblings[stop - 1], siblings[stop]):
        if _signature(siblings[stop], wiring.graph) != signature:
            break
        stop += 1
    return stop - start


def _growing(siblings: Sequence[Box], start: int, wiring: Wiring) -> int:
    """How many from `start` on differ only in that the width of their input grows by equal steps, as dense layers do;
    1 if that are too few."""
    first, graph = siblings[start], wiring.graph
    if first.is_leaf or first.role != "module":
        return 1
    form, widths, stop = _form(first, graph), [_widths(first, graph)], start + 1
    while stop < len(siblings) and wiring.joined(siblings[stop - 1], siblings[stop]):
        if _form(siblings[stop], graph) != form:
            break
        widths.append(_widths(siblings[stop], graph))
        if len(widths) > 2 and not _steady(widths[-3:]):
            break
        stop += 1
    return stop - start if stop - start >= _FEWEST_GROWING else 1


def _steady(widths: Sequence[tuple[int, ...]]) -> bool:
    return all(b - a == c - b for a, b, c in zip(*widths, strict=True))


def _signature(box: Box, graph: ModelGraph) -> tuple[object, ...]:
    weights = tuple(tuple(graph.spec(value).shape for value in op.inputs) for op in box.ops)
    return (*_form(box, graph), _widths(box, graph), weights)


def _form(box: Box, graph: ModelGraph) -> tuple[object, ...]:
    """Classes, operations and map sizes, without widths."""
    types = tuple((part.type, len(part.children)) for part in box.walk())
    return types, tuple((_outline(op, graph), tuple(_place(s.shape) for s in graph.output_specs(op))) for op in box.ops)


def _outline(op: OpNode, graph: ModelGraph) -> str:
    return f"{op.target} {word(op, graph)}"


def _place(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its channels."""
    return (shape[0], *shape[2:]) if len(shape) == 4 else shape[:-1]


def _widths(box: Box, graph: ModelGraph) -> tuple[int, ...]:
    shapes = [spec.shape for op in box.ops for spec in graph.output_specs(op)]
    return tuple(shape[1] if len(shape) == 4 else shape[-1] if shape else 0 for shape in shapes)
