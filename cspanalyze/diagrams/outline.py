"""A whole network for a page on which it is opened step by step: all boxes, and the arrows between the innermost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cspanalyze.diagrams.boxes import Box, boxes
from cspanalyze.diagrams.costing import Costing
from cspanalyze.diagrams.drawing import ends_of, title_of
from cspanalyze.diagrams.folding import runs
from cspanalyze.diagrams.naming import details, kind_of, shape_text
from cspanalyze.diagrams.record import METRICS, Figure, Kind, Metric
from cspanalyze.diagrams.wiring import Wiring
from cspanalyze.graph import ModelGraph

_DENSE = "each reads all before it"


@dataclass(frozen=True, slots=True)
class Entry:
    """A box: `parent` is the index of the one around it, -1 for the outermost.

    `key` is the same in another network for what is in the same place: the titles from the outermost box down. `count`
    boxes that are equal, or that grow by equal steps, lie in one of their own. `layers` with weights are inside.
    """

    parent: int
    key: str
    title: str
    name: str
    kind: Kind
    details: tuple[str, ...]
    shapes: tuple[str, ...]
    count: int
    layers: int
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow between two entries without entries inside, with the shape and the gradient reuse along it."""

    source: int
    target: int
    shape: str
    reuse: float | None


@dataclass(frozen=True, slots=True)
class Outline:
    """All entries, parents before what is inside them, and all links."""

    title: str
    subtitle: str
    entries: tuple[Entry, ...]
    links: tuple[Link, ...]
    totals: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def outline(graph: ModelGraph, title: str, metrics: Sequence[Metric] = METRICS) -> Outline:
    """The outline of a traced network."""
    work = _Work(graph.forward_part, metrics)
    root = boxes(work.graph)
    passed = [op for box in root.children if not work.wiring.shows(box) for op in box.ops]
    work.costing.move({op.index: work.wiring.home(op) for op in passed})
    work.add_terminals("input", work.graph.inputs)
    work.add(root.children, -1, "")
    work.add_terminals("output", work.graph.outputs)
    subtitle = " + ".join(shape_text([graph.spec(value).shape], 0) for value in graph.inputs)
    return Outline(title, subtitle, tuple(work.entries), tuple(work.links()), work.costing.totals, work.costing.notes)


class _Work:
    def __init__(self, graph: ModelGraph, metrics: Sequence[Metric]) -> None:
        self.graph, self.wiring, self.costing = graph, Wiring(graph), Costing(graph, metrics)
        self.entries: list[Entry] = []
        self.home: dict[int, int] = {}
        self.terminals: dict[tuple[str, int], int] = {}
        shape = graph.spec(graph.inputs[0]).shape if graph.inputs else ()
        self.batch = shape[0] if shape else 1

    def add_terminals(self, kind: Kind, values: Sequence[int]) -> None:
        """An entry for each input or output."""
        for value in dict.fromkeys(values):
            self.terminals[kind, value] = len(self.entries)
            name = self.graph.values[value].name if kind == "input" else ""
            shape = shape_text([self.graph.spec(value).shape], self.batch)
            self.entries.append(Entry(-1, f"{kind} {name}", kind, name, kind, (), (shape,), 1, 0, ()))

    def add(self, siblings: Sequence[Box], parent: int, around: str) -> None:
        """Entries for boxes, equal neighbours inside one of their own."""
        shown = [box for box in siblings if self.wiring.shows(box)]
        seen: dict[str, int] = {}
        for members in runs(shown, self.wiring):
            members = self._unwrapped(members)
            heading, name = title_of(members, self.graph)
            sort = f"{heading} ×" if len(members) > 1 else heading
            seen[sort] = seen.get(sort, 0) + 1
            key = f"{around}/{sort} {seen[sort]}"
            index = len(self.entries)
            ops = [op for box in members for op in box.ops]
            said = (_DENSE,) if self.wiring.dense(members) else ()
            self.entries.append(
                Entry(
                    parent,
                    key,
                    heading,
                    name,
                    kind_of(members[0]),
                    (*details(members[0], self.graph), *said),
                    self._shapes(members),
                    len(members),
                    sum(box.weighted for box in members),
                    self.costing.of(ops),
                )
            )
            if len(members) > 1:
                for number, box in enumerate(members):
                    self._add_one(box, index, f"{key}:{number}")
            else:
                self._inside(members[0], index, key)

    def _unwrapped(self, members: tuple[Box, ...]) -> tuple[Box, ...]:
        """What a plain sequence holds, where that is one box or several equal ones."""
        while len(members) == 1 and members[0].type == "Sequential" and members[0].role == "module":
            inside = runs([part for part in members[0].children if self.wiring.shows(part)], self.wiring)
            if len(inside) != 1 or inside[0][0].role == "op":
                break
            members = inside[0]
        return members

    def _add_one(self, box: Box, parent: int, key: str) -> None:
        heading, name = title_of((box,), self.graph)
        index = len(self.entries)
        said, shapes = details(box, self.graph), self._shapes((box,))
        figures = self.costing.of(box.ops)
        self.entries.append(Entry(parent, key, heading, name, kind_of(box), said, shapes, 1, box.weighted, figures))
        self._inside(box, index, key)

    def _inside(self, box: Box, index: int, key: str) -> None:
        parts = [part for part in box.children if self.wiring.shows(part)]
        if len(parts) > 1 or (parts and not parts[0].is_leaf):
            self.add(parts, index, key)
        else:
            for op in box.ops:
                self.home[op.index] = index

    def _shapes(self, members: Sequence[Box]) -> tuple[str, ...]:
        first, last = ends_of(members[0], self.graph), ends_of(members[-1], self.graph)
        return tuple(
            shape_text([self.graph.spec(a).shape, self.graph.spec(b).shape], self.batch)
            for a, b in zip(first, last, strict=True)
            if a is not None and b is not None
        )

    def links(self) -> list[Link]:
        """Between entries, each pair once."""
        found: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for op in self.graph.ops:
            target = self.home.get(op.index)
            for value in self.wiring.reads[op.index] if target is not None else ():
                source = self._source(value)
                if source is not None and target is not None and source != target:
                    found.setdefault((source, target), []).append((value, op.index))
        for output in self.graph.outputs:
            for value in self.wiring.sources(output):
                source = self._source(value)
                if source is not None:
                    found.setdefault((source, self.terminals["output", output]), []).append((value, -1))
        reuse = self.costing.reuse
        return [
            Link(
                source,
                target,
                shape_text([self.graph.spec(ends[0][0]).shape], self.batch),
                reuse.of_arrow((value, op) for value, op in ends if op >= 0) if reuse is not None else None,
            )
            for (source, target), ends in found.items()
        ]

    def _source(self, value: int) -> int | None:
        producer = self.graph.values[value].producer
        return self.terminals.get(("input", value)) if producer < 0 else self.home.get(producer)
