"""The backward half of a training step: leaves in place of the parameters, autograd's saved tensors, the gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from cspanalyze.graph import OpNode
from cspanalyze.tracing.fused_attention import FusedAttention
from cspanalyze.tracing.recorder import Recorder
from cspanalyze.tracing.tape import Tape
from cspanalyze.tracing.values import tensors_in


class TrainingStep:
    """Makes a forward pass differentiable without the caller's parameters, and runs it backward.

    The model's parameters and buffers are replaced by leaf tensors for the duration: autograd would otherwise write
    `.grad` of the caller's, and cannot mix real parameters with activations on meta.
    """

    def __init__(self, model: nn.Module, recorder: Recorder) -> None:
        self._model = model
        self._recorder = recorder
        self._leaves: dict[int, Tensor] = {}
        self._weights: set[int] = set()

    @contextmanager
    def differentiable(self) -> Iterator[None]:
        """Inside, the model's forward is recorded by autograd as well; what it saves goes to the tape.

        Whoever enters this puts the attributes of the model's modules back afterwards.
        """
        self._recorder.tape = Tape()
        with torch.inference_mode(False), torch.enable_grad():
            self._replace_tensors()
            with torch.autograd.graph.saved_tensors_hooks(self._keep, _same), FusedAttention():
                yield

    def backward(self, output: Any) -> None:
        """Run backward from the sum of all floating-point elements of the output."""
        self._recorder.phase = "backward"
        roots = {id(tensor): tensor for tensor in tensors_in(output) if tensor.requires_grad}
        if roots:
            _Total.apply(*roots.values()).backward()  # type: ignore[no-untyped-call]

    def gradients(self) -> dict[str, int]:
        """Value of the gradient of each parameter that got one, by the parameter's first name."""
        table = self._recorder.table
        leaves = [leaf for leaf in self._leaves.values() if leaf.grad is not None]
        return {table.names[id(leaf)][0]: table.of(leaf.grad) for leaf in leaves if leaf.grad is not None}

    def _replace_tensors(self) -> None:
        for tensor in (*self._model.parameters(), *self._model.buffers()):
            self._leaves[id(tensor)] = leaf = self._leaf(tensor)
            self._weights.add(leaf.untyped_storage()._cdata)
        for module in self._model.modules():
            attributes = vars(module)
            for key, value in attributes.items():
                if isinstance(value, Tensor):
                    attributes[key] = self._leaves.get(id(value), value)
                elif type(value) is dict:
                    value.update({name: self._leaves.get(id(item), item) for name, item in value.items()})
                elif type(value) is list:  # recurrent layers hold their weights in a list as well
                    value[:] = [self._leaves.get(id(item), item) for item in value]

    def _leaf(self, tensor: Tensor) -> Tensor:
        with torch.no_grad():
            own = (tensor if self._recorder.real else self._recorder.stand_in(tensor)).detach()
            leaf = nn.Parameter(own, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else own
        names = self._recorder.table.names
        names[id(leaf)] = names[id(tensor)]
        return leaf

    def _keep(self, tensor: Tensor) -> Tensor:
        recorder = self._recorder
        own = tensor.is_meta or recorder.real
        if own and recorder.phase == "forward" and tensor.untyped_storage()._cdata not in self._weights:
            recorder.keep(tensor)
        return tensor


def with_saved(ops: list[OpNode], tape: Tape | None) -> tuple[OpNode, ...]:
    """The operations, each with the values that autograd kept for its gradient.

    Autograd keeps inputs just before it dispatches the operation and results just after it. A tensor kept between two
    operations is therefore one that the next reads, or one that the last made.
    """
    saved: dict[int, list[int]] = {}
    for value, count, call in tape.kept if tape is not None else ():
        following = ops[count] if count < len(ops) else None
        if following is None or value not in following.inputs or following.call != call:
            count -= 1
        saved.setdefault(max(count, 0), []).append(value)
    return tuple([replace(op, saved=tuple(dict.fromkeys(saved[op.index]))) if op.index in saved else op for op in ops])


class _Total(torch.autograd.Function):
    """The sum of all elements of some tensors, without computing it: its gradient is ones.

    They are made one tensor for each when the backward pass begins, dense as those of an ordinary loss, and freed like
    those; as an argument of `backward` they would live to its end.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        ctx.layouts = [(tensor.shape, tensor.stride(), tensor.dtype, tensor.device) for tensor in tensors]
        return torch.empty((), device=tensors[0].device)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        ones = [
            torch.empty_strided(shape, strides, dtype=dtype, device=device).fill_(1)
            for shape, strides, dtype, device in ctx.layouts
        ]
        return tuple(ones)


def _same(tensor: Tensor) -> Tensor:
    return tensor
