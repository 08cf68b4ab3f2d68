"""Who reads what of whom, past the operations that a picture leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from cspanalyze.diagrams.boxes import Box
from cspanalyze.diagrams.naming import kind_of_op
from cspanalyze.graph import UPDATE, ModelGraph, OpNode

_SILENT = frozenset({"clone", "contiguous", "detach", "alias", "dropout", "feature_dropout", "to", "_to_copy", "copy"})
_ACTIVE = ("activation", "input")


class Wiring:
    """The data flow of a graph between operations that are shown.

    With `everything` all are; without, those that only rename, copy or reshape a tensor are passed through, but a
    slice of a tensor is shown.
    """

    def __init__(self, graph: ModelGraph, *, everything: bool = False) -> None:
        self.graph = graph
        self.hidden = frozenset(() if everything else [op.index for op in graph.ops if _is_silent(op, graph)])
        self._sources: dict[int, tuple[int, ...]] = {}

    def sources(self, value: int) -> tuple[int, ...]:
        """The values behind `value`, past what is hidden: made by operations that are shown, or inputs."""
        known = self._sources.get(value)
        if known is None:
            producer = self.graph.values[value].producer
            if producer < 0:
                known = (value,) if self.graph.values[value].kind == "input" else ()
            elif producer not in self.hidden:
                known = (value,)
            else:
                behind = [source for read in self.graph.ops[producer].inputs for source in self.sources(read)]
                known = tuple(dict.fromkeys(behind))
            self._sources[value] = known
        return known

    @cached_property
    def reads(self) -> tuple[tuple[int, ...], ...]:
        """For every operation the values that reach it, past what is hidden; weights are none."""
        return tuple(
            tuple(dict.fromkeys(source for value in op.inputs for source in self.sources(value)))
            if op.index not in self.hidden
            else ()
            for op in self.graph.ops
        )

    @cached_property
    def readers(self) -> tuple[frozenset[int], ...]:
        """For every value the operations that read it, past what is hidden; -1 stands for an output of the network."""
        found: list[set[int]] = [set() for _ in self.graph.values]
        for op in self.graph.ops:
            for value in self.reads[op.index]:
                found[value].add(op.index)
        for output in self.graph.outputs:
            for value in self.sources(output):
                found[value].add(-1)
        return tuple(map(frozenset, found))

    def home(self, op: OpNode) -> int:
        """The operation that a hidden one belongs to: the first that is shown and reads what it makes, or else the one
        before it."""
        waiting = [op]
        while waiting:
            current = waiting.pop(0)
            if current.index not in self.hidden:
                return current.index
            readers = {reader for value in current.outputs for reader in self.graph.consumers[value]}
            waiting += [self.graph.ops[reader] for reader in sorted(readers)]
        shown = [each.index for each in self.graph.ops if each.index not in self.hidden]
        return max((index for index in shown if index < op.index), default=shown[0] if shown else op.index)

    def shows(self, box: Box) -> bool:
        """Whether any operation of the box is shown."""
        return any(op.index not in self.hidden for op in box.ops)

    def joined(self, box: Box, follower: Box) -> bool:
        """Whether `follower` reads something that `box` made."""
        made = {value for op in box.ops for value in op.outputs}
        return any(value in made for op in follower.ops for value in self.reads[op.index])

    def dense(self, members: Sequence[Box]) -> bool:
        """Whether every one of three or more boxes reads all those before it."""
        makers = {value: n for n, member in enumerate(members) for op in member.ops for value in op.outputs}
        read = [{makers.get(v, -1) for op in member.ops for v in self.reads[op.index]} for member in members]
        return len(members) > 2 and all(set(range(n)) <= read[n] for n in range(len(members)))

    def follows_alone(self, box: Box, follower: Box) -> bool:
        """Whether `follower` reads nothing but what `box` made, and nobody else reads that."""
        own, after = {op.index for op in box.ops}, {op.index for op in follower.ops}
        made = {value for op in box.ops for value in op.outputs}
        for op in follower.ops:
            for value in self.reads[op.index]:
                if value not in made and self.graph.values[value].producer not in after:
                    return False
        return all(self.readers[value] <= own | after for value in made) and self.joined(box, follower)


def _is_silent(op: OpNode, graph: ModelGraph) -> bool:
    if op.target == UPDATE or not op.inputs:
        return True
    if op.name.rstrip("_") in _SILENT:
        return True
    if not op.view:
        return False
    if kind_of_op(op) != "slice":
        return True
    # A slice of everything, and one of a weight, is none.
    whole = graph.spec(op.inputs[0])
    weight = graph.values[op.inputs[0]].kind not in _ACTIVE
    return weight or all(graph.spec(value).numel == whole.numel for value in op.outputs)
