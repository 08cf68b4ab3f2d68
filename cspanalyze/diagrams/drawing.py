"""ModelGraph -> Diagram."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from cspanalyze.diagrams.boxes import Box, boxes
from cspanalyze.diagrams.costing import Costing
from cspanalyze.diagrams.joints import bypasses
from cspanalyze.diagrams.levels import Seen, seen
from cspanalyze.diagrams.naming import details, kind_of, kind_of_op, shape_text, title
from cspanalyze.diagrams.record import Diagram, Edge, Frame, Level, Metric, Node
from cspanalyze.diagrams.wiring import Wiring
from cspanalyze.graph import ModelGraph

DRAWN: tuple[Metric, ...] = ("macs", "params", "cio", "bytes")
"""The metrics that cost nothing to compute; the others are shown where they are asked for."""
INPUT, OUTPUT = "input", "output"
_DENSE = "each reads all before it"


def diagram(
    graph: ModelGraph,
    level: Level = "stage",
    metrics: Sequence[Metric] = DRAWN,
    highlight: str = "",
) -> Diagram:
    """The picture of a traced network at a level.

    `highlight` is a pattern with * and ? for paths, classes or titles: what matches it is highlighted.
    """
    graph = graph.forward_part
    drawing = _Drawing(graph, level, metrics, highlight)
    parts = seen(boxes(graph), level, drawing.wiring)
    held = {
        op.index for part in parts for node, copies in part.leaves() for box in _twins(node, copies) for op in box.ops
    }
    drawing.costing.move({op.index: drawing.wiring.home(op) for op in graph.ops if op.index not in held})
    drawing.add(parts)
    return drawing.finish()


class _Drawing:
    """A diagram in the making."""

    def __init__(self, graph: ModelGraph, level: Level, metrics: Sequence[Metric], highlight: str) -> None:
        self.graph, self.level, self.highlight = graph, level, highlight.lower()
        self.wiring = Wiring(graph, everything=level == "op")
        self.costing = Costing(graph, metrics)
        self.nodes: list[Node] = []
        self.frames: list[Frame] = []
        self.node_at: dict[int, str] = {}
        self.turns: dict[int, tuple[tuple[str, int], ...]] = {}
        self.layers: dict[str, int] = {}
        shape = graph.spec(graph.inputs[0]).shape if graph.inputs else ()
        self.batch = shape[0] if shape else 1

    def add(self, parts: Sequence[Seen], frame: str = "", copies: Sequence[Sequence[Box]] = ()) -> None:
        """Draw the parts. `copies` are, for each box around that is repeated, its members, outermost first."""
        for part in parts:
            twins = _twins(part, copies)
            box = part.box
            figures = self.costing.of(op for twin in twins for op in twin.ops)
            count = len(part.members)
            growing = count > 1 and self._grows(part.members)
            lit = self._matches(box, part.members)
            said = (_DENSE,) if self.wiring.dense(part.members) else ()
            heading, path = title_of(part.members, self.graph)
            if part.parts:
                self.frames.append(Frame(box.id, heading, path, frame, said, count, growing, figures, lit))
                self._note_turns(part, twins)
                self.add(part.parts, box.id, (*copies, part.members))
                continue
            self._note_turns(part, twins)
            self.layers[box.id] = sum(twin.weighted for twin in part.members)
            for twin in twins:
                for op in twin.ops:
                    self.node_at[op.index] = box.id
            self.nodes.append(
                Node(
                    id=box.id,
                    title=heading,
                    name=path,
                    kind=kind_of(box),
                    frame=frame,
                    details=(*details(box, self.graph), *said),
                    shapes=self._shapes(twins),
                    count=count,
                    growing=growing,
                    figures=figures,
                    highlighted=lit,
                )
            )

    def _note_turns(self, part: Seen, twins: Sequence[Box]) -> None:
        """Remember for every operation of repeated boxes which of them it is in."""
        count = len(part.members)
        for number, twin in enumerate(twins if count > 1 else ()):
            for op in twin.ops:
                self.turns[op.index] = (*self.turns.get(op.index, ()), (part.box.id, number % count))

    def _grows(self, members: Sequence[Box]) -> bool:
        first, last = (self._shapes([member]) for member in (members[0], members[-1]))
        return first != last

    def _matches(self, box: Box, members: Sequence[Box]) -> bool:
        """Whether the pattern names the box; a module that it names may be part of what is drawn as one node."""
        if not self.highlight:
            return False
        inner = (each for member in members for part in member.children if member.role == "unit" for each in (part,))
        names = [box.path, title(box, self.graph), *(n for b in (*members, *inner) for n in (b.label, b.type))]
        return any(fnmatchcase(name.lower(), self.highlight) for name in names)

    def _shapes(self, twins: Sequence[Box]) -> tuple[str, ...]:
        """Shape of the widest tensor that comes in and of what goes out last, of the first twin and the last."""
        ends = [ends_of(twin, self.graph) for twin in (twins[0], twins[-1])]
        texts = []
        for values in zip(*ends, strict=True):
            if None not in values:
                shapes = [self.graph.spec(value).shape for value in values if value is not None]
                texts.append(shape_text(shapes, self.batch))
        return tuple(texts)

    def finish(self) -> Diagram:
        """Everything with its arrows, inputs and outputs."""
        ends = self._ends_by_arrow()
        reuse = self.costing.reuse
        edges = [
            Edge(
                source,
                target,
                shape_text([self.graph.spec(values[0][0]).shape], self.batch),
                reuse=reuse.of_arrow((value, op) for value, op in values if op >= 0) if reuse is not None else None,
            )
            for (source, target), values in ends.items()
        ]
        gates = {node.id for node in self.nodes if node.kind == "multiply"}
        edges = bypasses(edges, self.layers, gates)
        return Diagram(
            title=self.graph.name,
            subtitle=" + ".join(shape_text([self.graph.spec(v).shape], 0) for v in self.graph.inputs),
            level=self.level,
            nodes=(*self._terminals(INPUT, edges), *self.nodes, *self._terminals(OUTPUT, edges)),
            edges=tuple(edges),
            frames=tuple(self.frames),
            totals=self.costing.totals,
            notes=self.costing.notes,
        )

    def _terminals(self, kind: str, edges: Sequence[Edge]) -> list[Node]:
        values = self.graph.inputs if kind == INPUT else self.graph.outputs
        found = []
        for number, value in enumerate(values):
            key = f":{kind}{number}"
            if any(key in (edge.source, edge.target) for edge in edges):
                named = self.graph.values[value].name if kind == INPUT and len(values) > 1 else kind
                text = shape_text([self.graph.spec(value).shape], self.batch)
                found.append(Node(key, named or kind, "", kind, shapes=(text,)))  # type: ignore[arg-type]
        return found

    def _ends_by_arrow(self) -> dict[tuple[str, str], list[tuple[int, int]]]:
        """For every arrow the values that go along it, each with the operation that reads it (-1: an output)."""
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        entrances = {value: f":{INPUT}{number}" for number, value in enumerate(self.graph.inputs)}

        def note(value: int, target: str, reader: int) -> None:
            producer = self.graph.values[value].producer
            source = entrances.get(value) if producer < 0 else self.node_at.get(producer)
            if source is None or source == target or (producer >= 0 and reader >= 0 and self._loops(producer, reader)):
                return
            found.setdefault((source, target), []).append((value, reader))

        for op in self.graph.ops:
            target = self.node_at.get(op.index)
            if target is not None:
                for value in self.wiring.reads[op.index]:
                    note(value, target, op.index)
        for number, output in enumerate(self.graph.outputs):
            for value in self.wiring.sources(output):
                note(value, f":{OUTPUT}{number}", -1)
        return found

    def _loops(self, producer: int, reader: int) -> bool:
        """Whether an edge goes from one of several equal boxes to another: both are drawn as the same."""
        turns = dict(self.turns.get(producer, ()))
        return any(turns.get(box, turn) != turn for box, turn in self.turns.get(reader, ()))


def _twins(part: Seen, copies: Sequence[Sequence[Box]]) -> list[Box]:
    """All boxes that are drawn as this one: its own members in order, then those in each of the equal boxes around."""
    found = list(part.members)
    for members in reversed(copies):
        first = members[0]
        places = [_place(first, box) for box in found]
        found += [
            Box(box.role, box.id, box.path, box.type, box.label, tuple(other.ops[at] for at in place), box.children)
            for other in members[1:]
            for box, place in zip(list(found), places, strict=False)
        ]
    return found


def _place(around: Box, box: Box) -> list[int]:
    position = {op.index: number for number, op in enumerate(around.ops)}
    return [position[op.index] for op in box.ops]


def title_of(members: Sequence[Box], graph: ModelGraph) -> tuple[str, str]:
    """What they are and where: a stage by its name and paths, or by its class where it is one of several modules."""
    box = members[0]
    if box.role == "op":
        return title(box, graph), box.path
    if box.role != "stage":
        return title(box, graph), span(members)
    if box.label == box.path and box.type:
        return title(box, graph), span(members)
    return span(members), box.path


def span(members: Sequence[Box]) -> str:
    """From the first label to the last: `layer1.1–3`."""
    first, last = members[0].label, members[-1].label
    if first == last:
        return first
    parts, others = first.split("."), last.split(".")
    different = [n for n, (a, b) in enumerate(zip(parts, others, strict=False)) if a != b]
    if len(parts) == len(others) and len(different) == 1:
        at = different[0]
        word = parts[at].rstrip("0123456789")
        parts[at] = f"{parts[at]}–{others[at].removeprefix(word)}"
        return ".".join(parts)
    return f"{first} – {last}"


def ends_of(box: Box, graph: ModelGraph) -> tuple[int | None, int | None]:
    """The largest value that comes in from outside, and the last that goes out.

    What a box joins before anything else it does counts as joined: of a dense layer the width of all that it reads.
    """
    inside = {op.index for op in box.ops}
    first = box.ops[0]
    if box.role != "op" and kind_of_op(first) == "concat" and len(first.inputs) > 1:
        coming = list(first.outputs)
    else:
        coming = [
            value
            for op in box.ops
            for value in op.inputs
            if graph.values[value].producer not in inside and graph.values[value].kind in ("activation", "input")
        ]
    going = [
        value
        for op in box.ops
        for value in op.outputs
        if value in graph.outputs or any(reader not in inside for reader in graph.consumers[value])
    ]
    largest = max(coming, key=lambda value: graph.spec(value).numel, default=None)
    return largest, going[-1] if going else (*box.ops[-1].outputs, None)[0]
