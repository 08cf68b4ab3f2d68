"""ModelGraph -> its layers in the order in which they run: what two networks can be compared by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from cspanalyze.analyses.grouping import Grouping
from cspanalyze.costs import Call, cost_of
from cspanalyze.graph import ModelGraph, OpNode, TensorSpec

_ACTIVATIONS = frozenset(
    {
        "relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardtanh",
        "sigmoid", "hardsigmoid", "tanh",
    }
)  # fmt: skip
_NORMS = ("batch_norm", "group_norm", "layer_norm", "instance_norm")


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution, linear layer, pool, sum or concatenation, or another operation with MACs.

    `window` is kernel and stride (`3x3/2`), "" where there is none; `inputs` are the channels of each map read; `size`
    is the output without batch and channels; `activation` is what follows, behind a norm that may come first, "" for
    none. `macs` and `params` are those of the layer with its norm. `reads` is the value that it reads first.
    """

    stage: str
    path: str
    kind: str
    window: str
    groups: int
    inputs: tuple[int, ...]
    channels: int
    size: tuple[int, ...]
    activation: str
    macs: int
    params: int
    reads: int

    @property
    def geometry(self) -> tuple[object, ...]:
        """All but names, activation and cost."""
        return self.kind, self.window, self.groups, self.inputs, self.channels, self.size

    def __str__(self) -> str:
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        sizes = "x".join(map(str, self.size))
        channels = f"{_listed(self.inputs)} -> {self.channels}"
        if "conv" not in self.kind and self.kind != "linear" and set(self.inputs) == {self.channels}:
            channels = f"{self.channels} channels"
        return f"{self.kind} {self.window}, {channels}{groups}, {sizes or 'vector'}".replace(" ,", ",")


def _listed(widths: tuple[int, ...]) -> str:
    """`64 + 3 x 32`."""
    runs = [(width, len(list(run))) for width, run in groupby(widths)]
    return " + ".join(f"{count} x {width}" if count > 1 else str(width) for width, count in runs)


def layers_of(graph: ModelGraph, grouping: Grouping) -> tuple[Layer, ...]:
    """The layers of the forward pass. Parameters that several layers share count at the first."""
    reader = _Reader(graph, grouping)
    return tuple(layer for op in graph.forward_part.ops if (layer := reader.layer(op)) is not None)


class _Reader:
    def __init__(self, graph: ModelGraph, grouping: Grouping) -> None:
        self._graph = graph
        self._of_op = grouping.of_op
        self._seen: set[int] = set()

    def layer(self, op: OpNode) -> Layer | None:
        """The layer that an operation is; None for norms, activations, views and whatever else is none."""
        graph, cost = self._graph, cost_of(op, self._graph)
        call = Call(op, graph)
        kind = self._kind(op, call, "" if cost is None else cost.kind, 0 if cost is None else cost.macs)
        if not kind:
            return None
        norm = self._next(op, _NORMS)
        act = self._next(norm or op, _ACTIVATIONS)
        maps = [spec for spec in call.inputs if spec is call.inputs[0] or kind in ("concatenation", "sum")]
        return Layer(
            stage=self._of_op[op.index],
            path=op.module,
            kind=kind,
            window=self._window(call, kind),
            groups=int(call.argument(6, "groups", 1)) if kind == "conv" else 1,  # type: ignore[arg-type]
            inputs=tuple(spec.shape[_axis(spec, kind)] if spec.shape else 1 for spec in maps),
            channels=call.out.shape[_axis(call.out, kind)] if call.out.shape else 1,
            size=call.out.shape[2:] if _axis(call.out, kind) == 1 else call.out.shape[1:-1],
            activation="" if act is None else _activation(act),
            macs=0 if cost is None else cost.macs,
            params=self._params(op) + (self._params(norm) if norm else 0),
            reads=op.inputs[0],
        )

    def _kind(self, op: OpNode, call: Call, cost_kind: str, macs: int) -> str:
        name = op.name.rstrip("_")
        if name == "cat":
            return "concatenation"
        if name == "add" and len(op.inputs) == 2:
            kinds = {self._graph.storages[spec.storage].kind for spec in call.inputs}
            return "sum" if kinds <= {"activation", "input"} and len(call.out.shape) == 4 else ""
        if "adaptive" in name or (name == "mean" and len(call.inputs[0].shape) == 4):
            return "global mean" if "max" not in name else "global maximum"
        known = {"convolution": "conv", "linear": "linear", "max pooling": "max pool", "pooling": "mean pool"}
        known["interpolation"] = "resize"
        if cost_kind in known:
            return "transposed conv" if "transpose" in name else known[cost_kind]
        return name if macs else ""

    def _window(self, call: Call, kind: str) -> str:
        if kind in ("conv", "transposed conv"):
            sides, stride = call.inputs[1].shape[2:], call.argument(3, "stride", 1)
        elif kind in ("max pool", "mean pool"):
            sides = call.argument(1, "kernel_size", ())  # type: ignore[assignment]
            stride = call.argument(2, "stride", ()) or sides
        else:
            return ""
        sides = sides if isinstance(sides, tuple) else (sides, sides)
        steps = stride if isinstance(stride, tuple) else (stride,)
        step = "x".join(map(str, dict.fromkeys(steps)))
        return "x".join(map(str, sides * 2 if len(sides) == 1 else sides)) + (
            f"/{step}" if step not in ("", "1") else ""
        )

    def _next(self, op: OpNode, names: frozenset[str] | tuple[str, ...]) -> OpNode | None:
        """The first reader of the output that is called like one of these."""
        for index in self._graph.consumers[op.outputs[0]] if op.outputs else ():
            reader = self._graph.ops[index]
            if reader.name.rstrip("_") in names or reader.label.rstrip("_") in names:
                return reader
        return None

    def _params(self, op: OpNode) -> int:
        found = 0
        for value in op.inputs:
            if self._graph.values[value].kind == "parameter" and value not in self._seen:
                self._seen.add(value)
                found += self._graph.spec(value).numel
        return found


def _axis(spec: TensorSpec, kind: str) -> int:
    """Where the channels are: behind the batch in maps, last in vectors, sequences, and what a linear layer reads."""
    return 1 if len(spec.shape) in (4, 5) and kind != "linear" else -1


def _activation(op: OpNode) -> str:
    name = op.name.rstrip("_")
    if name == "hardtanh" and op.args[1:3] == (0.0, 6.0):
        return "relu6"
    slope = next((arg for arg in op.args[1:2] if isinstance(arg, float)), 0.01 if name == "leaky_relu" else None)
    return name if slope is None else f"{name}({slope:g})"
