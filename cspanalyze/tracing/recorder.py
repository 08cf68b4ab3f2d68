"""The one dispatch mode: it watches a forward pass and writes down every operation as nodes and values of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from cspanalyze.graph import UPDATE, Argument, ModuleCall, OpNode, Phase, Ref, ValueKind
from cspanalyze.tracing.operators import RUNNING_STATISTICS, Operator, higher_order, operator_of
from cspanalyze.tracing.shapes import SHAPES, fits_in_place, without_autocast
from cspanalyze.tracing.stand_ins import Originals, Shadows
from cspanalyze.tracing.tape import Tape, accumulates_in_place
from cspanalyze.tracing.training_shapes import TRAINING_SHAPES
from cspanalyze.tracing.values import ValueTable, tensors_in

AUTOCAST = "autocast has no effect on the trace: its regions are counted in the dtypes that tensors come in with"
_IMPLICIT = torch._C.DispatchKey.CompositeImplicitAutograd
_SHAPES = {**SHAPES, **TRAINING_SHAPES}


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records into `ops`, `table` and calls; `trace` turns those into a `ModelGraph`.

    Tensors that hold data are replaced, as arguments, by meta tensors of the same layout, so that no operation computes
    anything and none can write to the caller's memory; with `real` everything is computed, and what is written to the
    model's own tensors is kept in `originals`.
    """

    supports_higher_order_operators = True  # torch asks for this attribute

    def __init__(self, names: dict[int, tuple[str, ValueKind]], real: bool = False, shortcuts: bool = True) -> None:
        """`names` maps `id(tensor)` of parameters and buffers to (path, kind)."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: list[OpNode] = []
        self.table = ValueTable(names, self._append_update)
        self.originals = Originals(names)
        self.real = real
        self.phase: Phase = "forward"
        self.detached = False  # whether gradients are switched off where the network is
        self.notes: dict[str, None] = {}  # in order, each once
        self.tape: Tape | None = None  # in a training step
        self._shadows = Shadows(names)
        self._shapes = _SHAPES if shortcuts and not real else {}
        self._calls: list[list[Any]] = []
        self._open: list[tuple[int, str]] = []  # (call index, module path), innermost last
        self._ordinals: dict[str, int] = {}
        self._label = ""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch.utils._python_dispatch otherwise wraps the handler so that its first call imports torch._dynamo
        # (private name: a test says when it stops working).
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():  # or each `.shape` below would pass through every active function mode
            if isinstance(func, HigherOrderOperator):
                return self._whole(func, args, kwargs or {})
            return self._dispatch(func, args, kwargs or {})

    def _dispatch(self, func: Any, args: Any, kwargs: Any) -> Any:
        operator = operator_of(func)
        if operator.composite:
            return self._take_apart(func, operator, args, kwargs)
        if self.phase == "backward":
            if operator.target == "aten.detach":
                return func(*args, **kwargs)  # how autograd hands tensors around: the same value, no node
            if func is torch.ops.aten.add.Tensor and not kwargs and accumulates_in_place(args):
                func = torch.ops.aten.add_.Tensor
                operator = operator_of(func)
        if not self.real:
            args, kwargs = self._shadows(args), {key: self._shadows(value) for key, value in kwargs.items()}
        written = self._written(operator, args, kwargs)
        if self.real:
            for tensor in written:
                self.originals.keep(tensor)
        inputs: list[int] = []
        recorded = tuple([self._argument(argument, inputs) for argument in args])
        recorded_kwargs = tuple([(key, self._argument(value, inputs)) for key, value in kwargs.items()])
        result = self._run(func, operator, args, kwargs)
        self._append(operator, recorded, recorded_kwargs, inputs, written, result)
        return result

    def _whole(self, func: HigherOrderOperator, args: Any, kwargs: Any) -> Any:
        """One node for an operator that takes functions; what those do inside it is not seen."""
        inputs: list[int] = []
        tensors = [argument for argument in args if isinstance(argument, Tensor)]
        recorded = tuple([self._argument(tensor, inputs) for tensor in tensors])
        result = func(*args, **kwargs)
        self._append(higher_order(str(func)), recorded, (), inputs, [], result)
        return result

    def _take_apart(self, func: Any, operator: Operator, args: Any, kwargs: Any) -> Any:
        outer = self._label
        self._label = outer or operator.name
        try:
            with self:
                # Not func.decompose(): that prefers Python decompositions, which differ from what really runs.
                return func._op_dk(_IMPLICIT, *args, **kwargs)
        finally:
            self._label = outer

    def _run(self, func: Any, operator: Operator, args: Any, kwargs: Any) -> Any:
        if not self.real:
            if operator.in_place and fits_in_place(*args):
                return args[0]
            shape = self._shapes.get(operator.target)
            if shape is not None:
                args = without_autocast(args) if AUTOCAST in self.notes else args
                result = shape(*args, **kwargs)
                if result is not None:
                    return result
        return func(*args, **kwargs)

    def _written(self, operator: Operator, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
        """The tensors that the operation mutates."""
        positions = operator.writes
        if operator.name in RUNNING_STATISTICS and len(args) > 5 and args[5] is True and args[3] is not None:
            positions = (3, 4)
        found: list[Tensor] = []
        for position in positions:
            target = args[position] if position < len(args) else kwargs.get(operator.argument_names[position])
            found += tensors_in(target)
        return found

    def _argument(self, argument: Any, inputs: list[int]) -> Argument:
        if isinstance(argument, Tensor):
            value = self.table.of(argument)
            inputs.append(value)
            return Ref(value)
        if argument is None or isinstance(argument, (bool, int, float, str)):
            return argument
        if isinstance(argument, (list, tuple)):
            return tuple([self._argument(item, inputs) for item in argument])
        return str(argument).removeprefix("torch.")  # dtype, device, layout, memory format, complex, generator

    def _append(
        self,
        operator: Operator,
        args: tuple[Argument, ...],
        kwargs: tuple[tuple[str, Argument], ...],
        inputs: list[int],
        written: list[Tensor],
        result: Any,
    ) -> None:
        index = len(self.ops)
        writes = tuple([inputs.index(self.table.of(tensor)) for tensor in written])
        outputs = [self.table.written(tensor, index) for tensor in written]
        for tensor in tensors_in(result):
            if not any(tensor is other for other in written):
                outputs.append(self.table.new(tensor, index, "activation"))
        view = operator.view or (not writes and self._renames(inputs, outputs))
        self._append_node(operator.target, operator.overload, self._label, args, kwargs, inputs, outputs, view, writes)

    def _append_node(
        self,
        target: str,
        overload: str,
        label: str,
        args: tuple[Argument, ...],
        kwargs: tuple[tuple[str, Argument], ...],
        inputs: Sequence[int],
        outputs: Sequence[int],
        view: bool,
        writes: tuple[int, ...],
    ) -> int:
        index = len(self.ops)
        call, module = self._open[-1] if self._open else self._origin()
        if self.tape is not None:
            self.tape.advance(index)
        reads, makes = tuple(inputs), tuple(outputs)
        detached = self.detached and self.phase == "forward"
        node = OpNode(
            index, target, overload, module, call, label, args, kwargs, reads, makes, view, writes, detached, self.phase
        )
        self.ops.append(node)
        self.table.tick(index + 1)
        return index

    def _origin(self) -> tuple[int, str]:
        """Call and module of an operation outside every forward: those of the operation whose gradient it computes."""
        origin = self.tape.origin() if self.tape is not None and self.phase == "backward" else -1
        return (-1, "") if origin < 0 else (self.ops[origin].call, self.ops[origin].module)

    def _append_update(self, base: int, write: int, result: int) -> int:
        arguments = (Ref(base), Ref(write))
        return self._append_node(UPDATE, "default", "", arguments, (), (base, write), (result,), True, ())

    def _renames(self, inputs: list[int], outputs: list[int]) -> bool:
        """Whether every output lies in the storage of an input: a copy that turned out to be none."""
        if not outputs or not inputs:
            return False
        values = self.table.values
        sources = {values[value].spec.storage for value in inputs}
        return all(values[value].spec.storage in sources for value in outputs)

    def stand_in(self, tensor: Tensor) -> Tensor:
        """The meta tensor that is used in place of one that holds data."""
        shadow: Tensor = self._shadows(tensor)
        return shadow

    def keep(self, tensor: Tensor) -> None:
        """Autograd keeps a tensor for the backward pass."""
        if self.tape is not None:
            self.tape.kept.append((self.table.of(tensor), len(self.ops), self._open[-1][0] if self._open else -1))

    def enter(self, path: str, args: Any) -> None:
        """A module's forward begins."""
        index = len(self._calls)
        parent = self._open[-1][0] if self._open else -1
        ordinal = self._ordinals.get(path, 0)
        self._ordinals[path] = ordinal + 1
        inputs = tuple([self.table.of(tensor) for tensor in tensors_in(args)])
        self._calls.append([index, path, parent, ordinal, len(self.ops), 0, inputs, ()])
        self._open.append((index, path))

    def leave(self, path: str, output: Any) -> None:
        """The forward of the innermost open call of that module ends (calls inside it that raised are dropped)."""
        index, found = self._open.pop()
        while found != path:
            index, found = self._open.pop()
        outputs = tuple([self.table.of(tensor) for tensor in tensors_in(output)])
        self._calls[index][5], self._calls[index][7] = len(self.ops), outputs

    def release(self) -> None:
        """End the recording; what was recorded stays."""
        self.table.release()

    @property
    def innermost(self) -> str:
        """Path of the module whose forward is running, or whose operation is being differentiated."""
        return self._open[-1][1] if self._open else self._origin()[1]

    @property
    def parent(self) -> str:
        """Path of the module that called the innermost one."""
        return self._open[-2][1] if len(self._open) > 1 else ""

    def finished_calls(self) -> tuple[ModuleCall, ...]:
        """All calls, in the order in which they began."""
        return tuple([ModuleCall(*record) for record in self._calls])
