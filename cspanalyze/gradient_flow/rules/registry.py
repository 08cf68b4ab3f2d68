"""One registry of transparency rules: operator name -> how it carries sources from its inputs to its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from cspanalyze.costs import Call
from cspanalyze.gradient_flow.shadows import Shadow, constant
from cspanalyze.graph import Argument, ModelGraph, OpNode, Ref, TensorSpec


class Passage(Call):
    """An operation with its arguments resolved, and the shadows of its inputs: what a rule reads.

    A rule sets `coarse` where it had to unite positions that it could not tell apart.
    """

    def __init__(self, op: OpNode, graph: ModelGraph, shadows: Mapping[int, Shadow]) -> None:
        super().__init__(op, graph)
        self._values = graph
        self._shadows = shadows
        self.coarse = False

    def shadow(self, position: int, name: str = "") -> Shadow:
        """Shadow of a tensor argument; an empty one if it is absent."""
        argument = self.argument(position, name)
        return self._of(argument) if isinstance(argument, Ref) else constant(0)

    def shadows(self, position: int, name: str = "") -> list[Shadow]:
        """Shadows of the tensors in a list argument."""
        argument = self.argument(position, name, ())
        return [self._of(item) for item in argument if isinstance(item, Ref)] if isinstance(argument, tuple) else []

    def read(self) -> list[tuple[Shadow, TensorSpec]]:
        """Every tensor that the operation reads, without those that an `out=` variant only writes."""
        skipped = self.op.writes if self.op.overload.endswith("out") else ()
        values = [value for place, value in enumerate(self.op.inputs) if place not in skipped]
        return [(self._shadows[value], self._values.values[value].spec) for value in values]

    def made(self) -> list[TensorSpec]:
        """Its results; where it only writes in place, what it wrote."""
        return self.outputs[len(self.op.writes) :] or self.outputs

    def axis(self, position: int, name: str = "dim", default: int = 0, rank: int | None = None) -> int:
        """A dimension argument, counted from the front."""
        found = self.argument(position, name, default)
        size = len(self.inputs[0].shape) if rank is None else rank
        return (found if isinstance(found, int) else default) % max(size, 1)

    def axes(self, position: int, name: str = "dim") -> tuple[int, ...]:
        """A dimension argument that may be a list, counted from the front; all dimensions where it is not given."""
        rank = len(self.inputs[0].shape)
        return _axes(self.argument(position, name), rank)

    def _of(self, ref: Ref) -> Shadow:
        return self._shadows[ref.value]


def _axes(argument: Argument, rank: int) -> tuple[int, ...]:
    if isinstance(argument, int) and not isinstance(argument, bool):
        return (argument % max(rank, 1),)
    if isinstance(argument, tuple) and argument:
        return tuple([item % max(rank, 1) for item in argument if isinstance(item, int)])
    return tuple(range(rank))


Rule: TypeAlias = Callable[[Passage], "Shadow | list[Shadow]"]
"""The shadow of every floating-point result, or one for each result."""
_RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators by name, without namespace and without the `_` of an in-place variant."""

    def register(function: Rule) -> Rule:
        for name in names:
            _RULES[name] = function
        return function

    return register


def rule_of(op: OpNode) -> Rule | None:
    """The rule of an operation, None if its operator has none."""
    if not op.target.startswith(("aten.", "torchvision.")):
        return None  # another library's operator of the same name may do anything
    found = _RULES.get(op.name)
    return found if found is not None else _RULES.get(op.name.removesuffix("_"))
