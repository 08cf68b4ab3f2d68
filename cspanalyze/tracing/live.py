"""Record what really runs, in any code: real tensors, any number of models, forward and backward."""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.weak import TensorWeakRef

from cspanalyze.graph import ModelGraph, ModuleNode, Parameter, Phase, Value
from cspanalyze.tracing.fused_attention import uncompiled_flex_attention
from cspanalyze.tracing.operators import Operator
from cspanalyze.tracing.recorder import Recorder
from cspanalyze.tracing.stand_ins import Originals
from cspanalyze.tracing.tape import Tape
from cspanalyze.tracing.values import _TAG, tensors_in

Kind = Literal["parameter", "buffer"]


class LiveRecorder(Recorder):  # type: ignore[no-untyped-call]
    """Records operations on the caller's own tensors, and keeps none of them alive.

    Modules get paths that begin with the class name of the outermost module called; a second instance of that class
    is `Name(2)`.
    """

    def __init__(self) -> None:
        super().__init__({}, real=True)
        self.originals = Originals({})  # what the code writes, it means to write
        self.tape = Tape()
        self.unrecorded: dict[str, int] = {}
        self.training = False
        self.inputs: dict[int, None] = {}
        self.modules: dict[str, ModuleNode] = {}
        self._records: list[list[Any]] = []  # fields of a Parameter but the last two, names in a list
        self._record_of: dict[int, int] = {}  # by id(tensor), of those that are alive
        self._roots: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()
        self._titles: dict[str, int] = {}
        self._paths: dict[int, str] = {}  # of the outermost module that is running
        self._touched: list[TensorWeakRef] = []
        self._finalizers: list[Any] = []
        self._thread = threading.get_ident()

    def _dispatch(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func.namespace == "profiler":  # marks that optimisers leave for torch's profiler
            return func(*args, **kwargs)
        self.phase = "forward" if torch._C._current_autograd_node() is None else "backward"
        tensors = tensors_in([args, kwargs])
        if _sparse(tensors):
            self._leave_out(func._schema.name.replace("::", "."))
            return func(*args, **kwargs)
        result = super()._dispatch(func, args, kwargs)
        self._touched += map(TensorWeakRef, [*tensors, *tensors_in(result)])
        return result

    def _append(self, operator: Operator, *recorded: Any) -> None:
        if _sparse(tensors_in(recorded[-1])):  # it made something sparse of dense tensors
            self._leave_out(operator.target)
        else:
            super()._append(operator, *recorded)

    def _leave_out(self, target: str) -> None:
        self.unrecorded[target] = self.unrecorded.get(target, 0) + 1

    def before(self, module: nn.Module, args: Any) -> None:
        """A module's forward begins."""
        if threading.get_ident() != self._thread:  # hooks are global, this mode is not
            return
        if not self._open:
            self._begin(module, args)
        path = self._paths.get(id(module))
        if path is None:  # made during the forward pass
            path = f"{self.innermost}.{type(module).__name__}"
            self.modules.setdefault(path, ModuleNode(path, type(module).__name__, ()))
            self._paths[id(module)] = path
        self.enter(path, args)

    def after(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module's forward ends, or has raised: then the output is None."""
        path = self._paths.get(id(module))
        if threading.get_ident() == self._thread and any(path == other for _, other in self._open):
            self._touched += map(TensorWeakRef, tensors_in(output))
            self.leave(self._paths[id(module)], output)

    def _begin(self, root: nn.Module, args: Any) -> None:
        """An outermost call: its modules, parameters and inputs get their names."""
        self.training |= root.training
        title = self._roots.get(root)
        if title is None:
            kind = type(root).__name__
            self._titles[kind] = self._titles.get(kind, 0) + 1
            title = kind if self._titles[kind] == 1 else f"{kind}({self._titles[kind]})"
            self._roots[root] = title
            self._register(root, title)
        self._paths = {id(m): f"{title}.{path}" if path else title for path, m in root.named_modules()}
        names, tags = self.table.names, self.table._named_tags
        for tensor in tensors_in(args):
            if id(tensor) not in names:
                names[id(tensor)] = ("", "input")  # for the moment in which its value is made
                self.inputs[self.table.of(tensor)] = None
                del names[id(tensor)]
                tags.pop(id(tensor), None)

    def _register(self, root: nn.Module, title: str) -> None:
        for path, module in root.named_modules():
            prefix = f"{title}.{path}" if path else title
            own: list[tuple[str, Tensor | None, Kind]] = []
            own += [(key, tensor, "parameter") for key, tensor in module._parameters.items()]
            own += [(key, tensor, "buffer") for key, tensor in module._buffers.items()]
            held = [self._record(tensor, f"{prefix}.{key}", kind) for key, tensor, kind in own if tensor is not None]
            self.modules[prefix] = ModuleNode(prefix, type(module).__name__, tuple(held))

    def _record(self, tensor: Tensor, path: str, kind: Kind) -> int:
        """Index of the parameter's record; a tied one gets another name."""
        key = id(tensor)
        if key in self._record_of:
            self._records[self._record_of[key]][0].append(path)
            return self._record_of[key]
        dtype = str(tensor.dtype).removeprefix("torch.")
        self._records.append([[path], tuple(tensor.shape), dtype, kind, tensor.requires_grad])
        self._record_of[key] = len(self._records) - 1
        self.table.names[key] = (path, kind)
        finalizer = weakref.finalize(tensor, self._forget, key)
        finalizer.atexit = False
        self._finalizers.append(finalizer)
        return self._record_of[key]

    def _forget(self, key: int) -> None:
        """The tensor is gone, and another one may get its id."""
        self._record_of.pop(key, None)
        self.table.names.pop(key, None)
        self.table._named_tags.pop(key, None)

    def release(self) -> None:
        """End the recording: no tensor that is still alive keeps a mark, no finalizer refers to this recorder."""
        super().release()
        for reference in self._touched:
            tensor = reference()
            if tensor is not None:
                vars(tensor).pop(_TAG, None)
        for finalizer in self._finalizers:
            finalizer.detach()
        self._touched.clear()

    def graph(self) -> ModelGraph:
        """Everything recorded so far, operations in the order in which they ran."""
        values: tuple[Value, ...] = tuple(self.table.values)
        read = {value.name: value.index for value in reversed(values) if value.kind in ("parameter", "buffer")}
        titles = [title for title in self.modules if "." not in title]
        return ModelGraph(
            name=" + ".join(titles) or "code",
            ops=tuple(self.ops),
            values=values,
            storages=self.table.storages(),
            modules=(ModuleNode("", "", ()), *self.modules.values()),
            calls=self.finished_calls(),
            parameters=tuple(
                Parameter(tuple(names), shape, dtype, kind, trainable, read.get(names[0]))
                for names, shape, dtype, kind, trainable in self._records
            ),
            inputs=tuple(self.inputs),
            outputs=(),
            mode="train" if self.training else "eval",
            method="as run",
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        if not self.unrecorded:
            return ()
        listed = ", ".join(f"{name} ({count}x)" for name, count in sorted(self.unrecorded.items()))
        return (f"operations on sparse tensors are in no figure: {listed}",)


def _sparse(tensors: list[Tensor]) -> bool:
    """Whether one of them has no strides, and so no place in a graph of values and storages."""
    return any(tensor.layout != torch.strided for tensor in tensors)


@contextmanager
def recording() -> Iterator[Callable[[], ModelGraph]]:
    """Record the body; what it gives returns the graph of what has run so far.

    Operations, their results and side effects are those of the code without it; nothing is kept alive longer. An
    operation is of the backward phase if autograd runs it, a forward pass recomputed for a checkpoint included.
    """
    recorder = LiveRecorder()
    with ExitStack() as stack:
        stack.callback(recorder.release)
        stack.callback(register_module_forward_pre_hook(recorder.before).remove)
        stack.callback(register_module_forward_hook(recorder.after, always_call=True).remove)
        stack.enter_context(uncompiled_flex_attention(on_meta=False))
        stack.enter_context(recorder)
        yield recorder.graph


def of_phase(graph: ModelGraph, phase: Phase | Literal["all"]) -> ModelGraph:
    """The operations of one phase, or of both, as a graph that analyses count in full.

    Analyses see forward operations only; here every operation kept counts as one. Operations that are left out leave
    no gap: a storage lives from the first operation kept that is not before its birth.
    """
    kept = [op.index for op in graph.ops if phase in ("all", op.phase)]
    position = {old: new for new, old in enumerate(kept)}

    def at(op: int) -> int:
        return bisect_left(kept, op) if op >= 0 else op

    return replace(
        graph,
        ops=tuple(replace(graph.ops[old], index=new, phase="forward") for new, old in enumerate(kept)),
        values=tuple(replace(value, producer=position.get(value.producer, -1)) for value in graph.values),
        storages=tuple(
            replace(each, alloc=at(each.alloc), free=None if each.free is None else at(each.free))
            for each in graph.storages
        ),
        calls=tuple(replace(call, start=at(call.start), stop=at(call.stop)) for call in graph.calls),
    )
