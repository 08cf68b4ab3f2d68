"""One registry of cost formulas: operator target -> integer function of shapes and attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cspanalyze.graph import Argument, ModelGraph, OpNode, Ref, TensorSpec

Kind = Literal[
    "convolution", "linear", "matmul", "attention", "recurrent", "normalization", "elementwise", "reduction",
    "max pooling", "pooling", "interpolation", "transform", "movement",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation computes.

    `macs` counts multiply-adds of convolutions, linear layers, matrix products, attention and recurrent layers;
    `elementwise_flops` everything else that does arithmetic: one per output element of an element-wise operation
    (a transcendental function counts as one), one per input element of a reduction, one per window element of a pool;
    normalisation, softmax and interpolation as their formulas say. The two never overlap.
    `fvcore_extra` is what fvcore's handlers add for operations without MACs, and `activations` the output elements of
    the operations with MACs (both products of an attention).
    """

    kind: Kind
    macs: int = 0
    elementwise_flops: int = 0
    fvcore_extra: int = 0
    activations: int = 0


class Call:
    """An operation with its arguments resolved: what a formula reads."""

    def __init__(self, op: OpNode, graph: ModelGraph) -> None:
        self.op = op
        self._graph = graph

    @property
    def inputs(self) -> list[TensorSpec]:
        """Every tensor argument, in order, those inside lists included."""
        return self._graph.input_specs(self.op)

    @property
    def outputs(self) -> list[TensorSpec]:
        """Every tensor result, in order."""
        return self._graph.output_specs(self.op)

    @property
    def out(self) -> TensorSpec:
        """The first result."""
        return self._graph.values[self.op.outputs[0]].spec

    def argument(self, position: int, name: str, default: Argument = None) -> Argument:
        """An argument by schema position or keyword; the default if it was not given."""
        if position < len(self.op.args):
            return self.op.args[position]
        return dict(self.op.kwargs).get(name, default)

    def tensor(self, position: int, name: str = "") -> TensorSpec | None:
        """A tensor argument, None if it is absent or None."""
        argument = self.argument(position, name)
        return self._graph.values[argument.value].spec if isinstance(argument, Ref) else None

    def shape(self, position: int, name: str = "") -> tuple[int, ...]:
        """Shape of a tensor argument that must be there.

        Raises:
            LookupError: it is not a tensor.
        """
        spec = self.tensor(position, name)
        if spec is None:
            raise LookupError(f"{self.op.target} has no tensor at argument {position}")
        return spec.shape

    def tensors(self, position: int, name: str = "") -> list[TensorSpec]:
        """The tensors in a list argument."""
        argument = self.argument(position, name, ())
        items = argument if isinstance(argument, tuple) else (argument,)
        return [self._graph.values[item.value].spec for item in items if isinstance(item, Ref)]


Formula = Callable[[Call], Cost]
_FORMULAS: dict[str, Formula] = {}


def formula(*targets: str) -> Callable[[Formula], Formula]:
    """Register a formula for operators, named as in the graph (`aten.conv2d`, `mylib.myop`).

    A formula is an integer function of shapes and attributes, here and in plugins alike; the last one registered for a
    target wins.

    >>> @register_formula("mylib.scale")
    ... def scale(call):
    ...     from cspanalyze.costs import Cost
    ...
    ...     return Cost("elementwise", elementwise_flops=call.out.numel)
    """

    def register(function: Formula) -> Formula:
        for target in targets:
            _FORMULAS[target] = function
        return function

    return register


def cost_of(op: OpNode, graph: ModelGraph) -> Cost | None:
    """Cost of one operation; None if its operator has no formula."""
    if op.view:
        return _MOVEMENT
    found = _FORMULAS.get(op.target)
    return None if found is None else found(Call(op, graph))


def covered() -> tuple[str, ...]:
    """Every operator with a formula, sorted."""
    return tuple(sorted(_FORMULAS))


_MOVEMENT = Cost("movement")
