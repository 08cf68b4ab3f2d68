"""A network as boxes in boxes: stages, modules, operations, as they ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from cspanalyze.analyses import Grouping
from cspanalyze.graph import ModelGraph, OpNode


@dataclass(frozen=True)
class Box:
    """A part of the network: a stage, one call of a module, one operation, or a unit of a layer and what follows it.

    `id` is unique, `path` the module's, `type` its class ("" where it is no module), `label` the name that is shown.
    `ops` are the operations inside, in order; `children` the parts, none for an operation.
    """

    role: Literal["module", "stage", "op", "unit"]
    id: str
    path: str
    type: str
    label: str
    ops: tuple[OpNode, ...]
    children: tuple[Box, ...] = ()

    @cached_property
    def is_leaf(self) -> bool:
        """Whether no module is inside: an operation, or a module that only runs operations."""
        return self.role == "op" or (bool(self.type) and all(child.role == "op" for child in self.children))

    @cached_property
    def weighted(self) -> int:
        """How many operations with a mixing weight it holds."""
        return sum(1 for op in self.ops if is_weighted(op))

    def walk(self) -> Iterator[Box]:
        """This box and all inside, outermost first."""
        yield self
        for child in self.children:
            yield from child.walk()


_WEIGHTED = ("conv", "linear", "addmm", "lstm", "gru", "rnn", "embedding", "bilinear")


def is_weighted(op: OpNode) -> bool:
    """Whether an operation is a layer: a convolution, a linear map, a recurrence, an embedding."""
    return op.name.startswith(_WEIGHTED)


def boxes(graph: ModelGraph) -> Box:
    """The whole network as one box whose children are its stages, or its modules where it has no stages."""
    root = _tree(graph)
    grouping = Grouping.of(graph, "stage")
    if len(grouping.names) < 2 or not root.children:
        return root
    stage_of = grouping.of_op
    members: dict[str, list[Box]] = {}
    for part in _uniform(root, stage_of):
        members.setdefault(stage_of[part.ops[0].index], []).append(part)
    stages = [_stage(name, parts) for name, parts in members.items()] if graph.plan else list(_undeclared(members))
    return replace(root, children=tuple(sorted(stages, key=lambda stage: stage.ops[0].index)))


def _tree(graph: ModelGraph) -> Box:
    """Calls of modules as boxes, each with the operations that it ran itself between those of its parts."""
    types = {module.path: module.type for module in graph.modules}
    inside: dict[int, list[int]] = {}
    outermost = next((call.index for call in graph.calls if call.parent < 0), -1)
    for call in graph.calls:
        if call.start < call.stop and call.index != outermost:
            inside.setdefault(call.parent if call.parent >= 0 else outermost, []).append(call.index)
    own: dict[int, list[OpNode]] = {}
    for op in graph.ops:
        own.setdefault(op.call if op.call >= 0 else outermost, []).append(op)

    def grown(index: int) -> Box:
        parts = [(graph.calls[child].start, 1, grown(child)) for child in inside.get(index, ())]
        path = graph.calls[index].module if index >= 0 else ""
        parts += [(op.index, 0, _of_op(op, path)) for op in own.get(index, ())]
        parts.sort(key=lambda part: part[:2])
        ordinal = graph.calls[index].ordinal if index >= 0 else 0
        children = tuple(part for _, _, part in parts if part.ops)
        ops = tuple(sorted((op for child in children for op in child.ops), key=lambda op: op.index))
        label = f"{path}#{ordinal + 1}" if ordinal else path
        box = Box("module", label or "/", path, types.get(path, "") or "Module", label, ops, children)
        return _unwrapped(box)

    return grown(outermost)


def _of_op(op: OpNode, path: str) -> Box:
    return Box("op", f"{path}/{op.index}", path, "", op.name, (op,))


def _unwrapped(box: Box) -> Box:
    """A box that only holds one other module is drawn as that one, under its own name."""
    if len(box.children) == 1 and box.children[0].role == "module" and box.path:
        inner = box.children[0]
        return replace(inner, id=box.id, type=inner.type if box.type == "Sequential" else box.type, label=box.label)
    return box


def _uniform(box: Box, stage_of: Sequence[str]) -> Iterator[Box]:
    """The largest boxes that lie within one stage."""
    if len({stage_of[op.index] for op in box.ops}) == 1:
        yield box
        return
    for child in box.children:
        yield from _uniform(child, stage_of)


def _undeclared(members: Mapping[str, Sequence[Box]]) -> Iterator[Box]:
    """The stages of a network that declares none: what runs together.

    What the network does itself before and behind the modules of a stage is part of none, and a stage that another
    one interrupts is two.
    """
    order = sorted((part.ops[0].index, name) for name, parts in members.items() for part in parts)
    for name, parts in members.items():
        modules = [n for n, part in enumerate(parts) if part.role == "module"] or [len(parts)]
        yield from (*parts[: modules[0]], *parts[modules[-1] + 1 :])
        number, last = 0, -1
        together: list[Box] = []
        for part in parts[modules[0] : modules[-1] + 1]:
            place = order.index((part.ops[0].index, name))
            if together and place != last + 1:
                yield _stage(name, together, number)
                number, together = number + 1, []
            together.append(part)
            last = place
        if together:
            yield _stage(name, together, number)


def _stage(name: str, parts: Sequence[Box], number: int = 0) -> Box:
    """The stage of that name. Where it is one module, its parts are that module's."""
    ops = tuple(sorted((op for part in parts for op in part.ops), key=lambda op: op.index))
    paths = dict.fromkeys(part.path for part in parts if part.type)
    if len(parts) == 1 and parts[0].children:
        return Box("stage", f"{name}:{number or ''}", parts[0].path, parts[0].type, name, ops, parts[0].children)
    return Box("stage", f"{name}:{number or ''}", ", ".join(paths), "", name, ops, tuple(parts))
