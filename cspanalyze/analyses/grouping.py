"""Into which row an operation or a parameter goes: by stage, module, layer or operator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from cspanalyze.costs import cost_of
from cspanalyze.errors import UsageError
from cspanalyze.garbage import young_collections_only
from cspanalyze.graph import ModelGraph, OpNode

By = Literal["stage", "module", "layer", "op"]
WHOLE = "(network)"
_MOST_STAGES = 24  # of a network that declares none: finer cuts are what --by module is for


@dataclass(frozen=True)
class Grouping:
    """`names` in display order; `of_op` the name for every operation, `of_parameter` for every parameter."""

    by: By
    names: tuple[str, ...]
    of_op: tuple[str, ...]
    of_parameter: tuple[str, ...]

    @classmethod
    @young_collections_only()
    def of(
        cls, graph: ModelGraph, by: By = "stage", depth: int | None = None, rows: Mapping[str, str] | None = None
    ) -> Grouping:
        """Group a graph.

        `stage`: the stages that the architecture declares, or where none are known the coarsest cut through the module
        tree in which no row holds more than half of all MACs; `rows` are those of `stage_rows` of another graph whose
        rows this one is to have. `module`: module paths
        down to `depth` names (all of them if None). `layer`: the innermost module, one row per call. `op`: the
        operator.

        Raises:
            UsageError: an unknown `by`, or a depth that is not positive.
        """
        if depth is not None and depth < 1:
            raise UsageError(f"depth must be 1 or more, got {depth}")
        if by == "stage":
            of_op, of_parameter = _by_stage(graph, rows)
        elif by == "module":
            of_op, of_parameter = _by_path(graph, lambda path: _cut(path, depth))
        elif by == "layer":
            of_op, of_parameter = _by_layer(graph)
        elif by == "op":
            of_op = [op.name for op in graph.ops]
            of_parameter = _first_reader(graph, of_op)
        else:
            raise UsageError(f"rows are by stage, module, layer or op, got {by!r}")
        # In the order in which the groups first run; those that only hold parameters last.
        return cls(by, tuple(dict.fromkeys([*of_op, *of_parameter])), tuple(of_op), tuple(of_parameter))


def stage_rows(graph: ModelGraph, joined: Mapping[str, str]) -> dict[str, str]:
    """Path of a module -> its row, for the rows by stage of a network that declares no stages.

    `joined` names the rows of modules that stay whole, which several may share.
    """
    rows = _with_stem_and_head(graph, _coarsest_cut(graph, {*joined, *joined.values()}))
    return {path: joined.get(path, row) for path, row in rows.items()}


def _cut(path: str, depth: int | None) -> str:
    return path if depth is None else ".".join(path.split(".")[:depth])


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _by_path(graph: ModelGraph, group: Callable[[str], str]) -> tuple[list[str], list[str]]:
    return [group(op.module) for op in graph.ops], [group(_owner(p.names[0])) for p in graph.parameters]


def _by_layer(graph: ModelGraph) -> tuple[list[str], list[str]]:
    of_op = []
    for op in graph.ops:
        ordinal = graph.calls[op.call].ordinal if op.call >= 0 else 0
        of_op.append(f"{op.module}#{ordinal + 1}" if ordinal else op.module)
    return of_op, [_owner(p.names[0]) for p in graph.parameters]


def _first_reader(graph: ModelGraph, of_op: list[str]) -> list[str]:
    """A parameter goes to the first operation that reads it; one that none reads (the step counter of a batch norm) to
    the last operation of its module."""
    of_module = {op.module: group for op, group in zip(graph.ops, of_op, strict=True)}
    groups = []
    for parameter in graph.parameters:
        readers = graph.consumers[parameter.value] if parameter.value is not None else ()
        groups.append(of_op[readers[0]] if readers else of_module.get(_owner(parameter.names[0]), "never read"))
    return groups


def _by_stage(graph: ModelGraph, rows: Mapping[str, str] | None) -> tuple[list[str], list[str]]:
    plan = graph.plan
    if plan is not None:
        names = [stage.name for stage in plan.stages]
        find = cache(lambda path: stage.name if (stage := plan.stage_of(path)) is not None else "")
    else:
        cut = stage_rows(graph, {}) if rows is None else rows
        names = list(dict.fromkeys(cut.values())) or [WHOLE]
        find = cache(lambda path: cut.get(_longest_prefix(path, cut), ""))
    # What runs outside every stage (a flatten in the root's forward) belongs to the stage that ran before it; but what
    # has MACs must not pass for another module's where rows are modules.
    current = names[0]
    of_op = []
    for op in graph.ops:
        found = find(op.module)
        current = found or current
        own = not found and plan is None and names[0] != WHOLE and _macs(op, graph)
        of_op.append("" if own else current)
    # A parameter held outside every stage (a position embedding in the root) belongs to the stage that reads it first.
    readers = _first_reader(graph, of_op)
    owners = [find(_owner(parameter.names[0])) for parameter in graph.parameters]
    return of_op, [owner or reader for owner, reader in zip(owners, readers, strict=True)]


def _with_stem_and_head(graph: ModelGraph, cut: list[str]) -> dict[str, str]:
    """Path -> row name: single layers before the first container are the `stem`, those after the last the `head`."""
    first_run = {path: len(graph.ops) for path in cut}
    for op in reversed(graph.ops):
        path = _longest_prefix(op.module, first_run)
        if path:
            first_run[path] = op.index
    ordered = sorted(cut, key=lambda path: first_run[path])
    containers = {_owner(module.path) for module in graph.modules if module.path}
    blocks = [index for index, path in enumerate(ordered) if path in containers]
    if len(blocks) < 2:
        return {path: path for path in ordered}
    start, stop = blocks[0], blocks[-1]
    return {path: "stem" if index < start else "head" if index > stop else path for index, path in enumerate(ordered)}


def _coarsest_cut(graph: ModelGraph, whole: Collection[str]) -> list[str]:
    """Module paths such that no part that can be divided holds more than half of the MACs."""
    macs: dict[str, int] = {}
    undivided = set(whole)
    for op in graph.forward_part.ops:
        if (own := _macs(op, graph)) > 0:
            undivided.add(op.module)  # its parts are not all of it
            parts = op.module.split(".") if op.module else []
            for depth in range(len(parts) + 1):
                path = ".".join(parts[:depth])
                macs[path] = macs.get(path, 0) + own
    children: dict[str, list[str]] = {}
    for module in graph.modules:
        if module.path:
            children.setdefault(_owner(module.path), []).append(module.path)
    total = macs.get("", 0)
    cut = children.get("", [])
    while True:
        heavy = [path for path in cut if 2 * macs.get(path, 0) > total and path in children and path not in undivided]
        if not heavy:
            return cut
        finer = [part for path in cut for part in (children[path] if path in heavy else [path])]
        if len(finer) > _MOST_STAGES and len(cut) > 1:
            return cut
        cut = finer


def _macs(op: OpNode, graph: ModelGraph) -> int:
    cost = cost_of(op, graph)
    return 0 if cost is None else cost.macs


def _longest_prefix(path: str, cut: Container[str]) -> str:
    while path and path not in cut:
        path = _owner(path)
    return path
