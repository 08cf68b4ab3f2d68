"""`trace`: run a forward pass on meta tensors under the recorder and return the graph."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.parameter import is_lazy

from cspanalyze.errors import TraceError
from cspanalyze.garbage import young_collections_only
from cspanalyze.graph import ModelGraph, ModuleNode, Parameter, Value, ValueKind
from cspanalyze.tracing.detached import detached_parts_told
from cspanalyze.tracing.fused_attention import uncompiled_flex_attention
from cspanalyze.tracing.recorder import AUTOCAST, Recorder
from cspanalyze.tracing.training import TrainingStep, with_saved
from cspanalyze.tracing.untouched import untouched
from cspanalyze.tracing.values import tensors_in

Modules = tuple[tuple[str, nn.Module], ...]
"""Every module by path, one used at several places under each of them."""


@young_collections_only()
def trace(
    model: nn.Module,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    name: str = "",
    mode: Literal["eval", "train"] = "eval",
    backward: bool = False,
    real: bool = False,
    shortcuts: bool = True,
) -> ModelGraph:
    """Record one forward pass of `model(*args, **kwargs)`, by default without computing anything.

    With `backward` the pass is differentiated, from the sum of all elements of its floating-point outputs down to the
    parameters that require a gradient, and every operation of that goes into the graph as well, with the module whose
    forward it differentiates. Under autograd torch dispatches other operators (`convolution`, `addmm`, recurrent layers
    step by step) than it does without, with the same MACs.

    Every tensor, the model's and the caller's, is replaced by one on the meta device with the same shape, dtype and
    strides. The model is left exactly as it was, also when its forward raises.

    Args:
        model: any module, on any device.
        args: positional inputs; tensors anywhere in nested lists, tuples and dicts.
        kwargs: keyword inputs.
        name: how the graph is called; the class name by default.
        mode: whether modules run as in `model.eval()` or `model.train()`.
        backward: record the backward pass too.
        real: compute on the tensors as they are, for networks whose control flow depends on data; the graph then holds
            for these inputs only, and says so in `method`.
        shortcuts: compute the layouts of hot operators here instead of in torch (same result, less time).

    Raises:
        TraceError: the forward or backward pass failed; the message names the module it was in and what torch said.

    >>> import torch
    >>> graph = trace(torch.nn.Conv2d(3, 8, 3), torch.rand(1, 3, 32, 32))
    >>> [(op.target, graph.output_specs(op)[0].shape) for op in graph.ops]
    [('aten.conv2d', (1, 8, 30, 30))]
    """
    model = _uncompiled(model)
    modules = tuple(model.named_modules(remove_duplicate=False))
    parameters, names = _parameters(modules)
    recorder = Recorder(names, real=real, shortcuts=shortcuts)
    step = TrainingStep(model, recorder) if backward else None
    try:
        inputs: list[int] = []
        with torch.inference_mode(
            step is None and torch.is_inference_mode_enabled()
        ):  # autograd saves no inference tensor
            own_args = _own_copies(args, recorder, inputs)
            own_kwargs = _own_copies(dict(kwargs or {}), recorder, inputs)
        outputs = _run(model, modules, recorder, step, own_args, own_kwargs, mode)
        del own_args, own_kwargs
        values = tuple(recorder.table.values)
        return ModelGraph(
            name=name or type(model).__name__,
            ops=with_saved(recorder.ops, recorder.tape),
            values=values,
            storages=recorder.table.storages(),
            modules=_modules(modules, parameters),
            calls=recorder.finished_calls(),
            parameters=_with_values(parameters, values, step.gradients() if step else {}),
            inputs=tuple(inputs),
            outputs=outputs,
            mode=mode,
            method="real input" if real else "meta",
            notes=tuple(recorder.notes),
        )
    finally:
        recorder.release()


def _run(
    model: nn.Module,
    modules: Modules,
    recorder: Recorder,
    step: TrainingStep | None,
    args: Any,
    kwargs: Any,
    mode: Literal["eval", "train"],
) -> tuple[int, ...]:
    """Run the model under the recorder; returns the values of its outputs."""
    paths = {id(module): path for path, module in reversed(modules)}  # of several names the first

    def enter(module: nn.Module, inputs: Any) -> None:
        path = paths.get(id(module))
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            recorder.notes[AUTOCAST] = None
        recorder.enter(_adopted(module, recorder.innermost) if path is None else path, inputs)

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        path = paths.get(id(module))
        recorder.leave(_adopted(module, recorder.parent) if path is None else path, output)

    with ExitStack() as stack:
        stack.enter_context(untouched(model, mode))
        stack.callback(recorder.originals.restore)
        stack.callback(register_module_forward_pre_hook(enter).remove)
        stack.callback(register_module_forward_hook(leave).remove)
        stack.enter_context(torch.inference_mode() if step is None else step.differentiable())
        if not recorder.real:
            stack.enter_context(torch.device("meta"))
        stack.enter_context(uncompiled_flex_attention(on_meta=step is None))
        stack.enter_context(detached_parts_told(recorder))
        stack.enter_context(recorder)
        try:
            output = model(*args, **kwargs)
            outputs = tuple([recorder.table.of(tensor) for tensor in tensors_in(output)])
            if step is not None:
                step.backward(output)
            return outputs
        except (Exception, SystemExit) as error:
            where = recorder.innermost or type(model).__name__
            failure = TraceError(f"the {recorder.phase} pass failed in {where}: {_first_line(error)}")
            failure.live_bytes = recorder.table.peak_bytes()
            raise failure from error


def _uncompiled(model: nn.Module) -> nn.Module:
    """The module that `torch.compile` wraps: it computes the same, and a dispatch mode must not run compiled code."""
    inner = getattr(model, "_orig_mod", None)
    return inner if type(model).__name__ == "OptimizedModule" and isinstance(inner, nn.Module) else model


def _adopted(module: nn.Module, parent: str) -> str:
    """Path of a module that is called but is no submodule (made during the forward pass)."""
    return f"{parent}.{type(module).__name__}" if parent else type(module).__name__


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _with_values(records: list[Any], values: tuple[Value, ...], gradients: Mapping[str, int]) -> tuple[Parameter, ...]:
    """The parameters with the values that they and their gradients (by first name) have in the graph."""
    read = {value.name: value.index for value in reversed(values) if value.kind in ("parameter", "buffer")}
    return tuple(
        [
            Parameter(names, shape, dtype, kind, trainable, read.get(names[0]), gradients.get(names[0]))
            for names, shape, dtype, kind, trainable in records
        ]
    )


def _parameters(
    modules: Modules,
) -> tuple[list[tuple[tuple[str, ...], tuple[int, ...], str, Any, bool]], dict[int, tuple[str, ValueKind]]]:
    """Every parameter, then every buffer, once, with all its names; and `id(tensor)` -> (first name, kind).

    Raises:
        TraceError: of this module no forward pass can be recorded.
    """
    found: dict[int, tuple[Tensor, list[str], ValueKind]] = {}
    kinds: tuple[ValueKind, ...] = ("parameter", "buffer")
    for kind in kinds:
        for path, module in modules:
            if isinstance(module, torch.jit.ScriptModule):
                name = path or "the model"
                raise TraceError(f"{name} is compiled by torch.jit: trace the module that it was made from")
            for key, tensor in (module._parameters if kind == "parameter" else module._buffers).items():
                if tensor is not None:
                    found.setdefault(id(tensor), (tensor, [], kind))[1].append(f"{path}.{key}" if path else key)
    for tensor, paths, _ in found.values():
        if is_lazy(tensor):
            raise TraceError(f"{paths[0]} has no shape yet (a lazy module): run the model once on real data first")
    records = [
        (tuple(paths), tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), kind, tensor.requires_grad)
        for tensor, paths, kind in found.values()
    ]
    return records, {key: (paths[0], kind) for key, (_, paths, kind) in found.items()}


def _modules(modules: Modules, parameters: list[Any]) -> tuple[ModuleNode, ...]:
    """Every module once, under its first name."""
    index = {path: i for i, (paths, *_) in enumerate(parameters) for path in paths}
    nodes: dict[int, ModuleNode] = {}
    for path, module in modules:
        if id(module) not in nodes:
            prefix = f"{path}." if path else ""
            own = [*module._parameters, *module._buffers]
            held = tuple([index[prefix + key] for key in own if prefix + key in index])
            nodes[id(module)] = ModuleNode(path, type(module).__name__, held)
    return tuple(nodes.values())


def _own_copies(tree: Any, recorder: Recorder, inputs: list[int]) -> Any:
    """Fresh tensors of the same layout in place of the caller's (on meta, or copies), registered as graph inputs."""
    if isinstance(tree, Tensor):
        device = tree.device if recorder.real else torch.device("meta")
        fresh = torch.empty_strided(tree.shape, tree.stride(), dtype=tree.dtype, device=device)
        if recorder.real:
            fresh.copy_(tree.detach())
        inputs.append(recorder.table.new(fresh, -1, "input"))
        return fresh
    if isinstance(tree, (list, tuple)):
        items = [_own_copies(item, recorder, inputs) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, dict):
        return {key: _own_copies(value, recorder, inputs) for key, value in tree.items()}
    return tree
