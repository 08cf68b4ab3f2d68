"""Who reads the output of each stage, found by running the network's shadow with its stages left out.

Every stage is replaced by a stand-in that returns a marked tensor; whatever touches the mark afterwards is a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cspanalyze.csp.description import StageDescription
from cspanalyze.csp.resizing import NORMS
from cspanalyze.csp.shadow import LAYERS, run, shadow, zeros

_CHANNEL_WISE = frozenset(
    {"adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "max_pool2d", "mean", "flatten", "contiguous"}
    | {"dropout", "relu", "relu_", "leaky_relu", "leaky_relu_", "silu", "silu_", "mish", "hardswish", "gelu"}
)
"""Functions whose result has the channels of their argument in its place and order, and depends on nothing else."""


@dataclass
class Readers:
    """What reads one stage's output: later `stages` by number, `layers` by path, and `others` in words."""

    stages: list[int] = field(default_factory=list)
    layers: dict[str, nn.Module] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def rehearse(model: nn.Module, stages: Sequence[StageDescription]) -> tuple[Readers, ...]:
    """The readers of every stage's output. `layers` are those of the model itself.

    Checked are the modules and functions of one forward pass in inference mode on a 32x32 input (224x224 if that is too
    small), and forward hooks on the stages. Not seen are hooks elsewhere, and readers that run under other conditions
    only (in training mode, or for other inputs).

    Raises:
        Exception: whatever the network's own forward raises.
    """
    try:
        return _rehearse(model, stages, 32)
    except RuntimeError:  # a head that pools over a 7x7 map, for example
        return _rehearse(model, stages, 224)


def _rehearse(model: nn.Module, stages: Sequence[StageDescription], side: int) -> tuple[Readers, ...]:
    readers = tuple(Readers() for _ in stages)
    for stage, read in zip(stages, readers, strict=True):
        if stage.module._forward_hooks:
            read.others.append("a forward hook")
    residual = [(number, stage) for number, stage in enumerate(stages) if stage.dense is None]
    copy = shadow(model, {id(stage.module): _StandIn(number, stage, readers) for number, stage in residual})
    for path, layer in copy.named_modules():
        if isinstance(layer, LAYERS):
            layer.register_forward_pre_hook(partial(_note_layer, path, model.get_submodule(path)))
    channels = next(layer.in_channels for layer in model.modules() if isinstance(layer, nn.Conv2d))
    for tensor in _tensors(run(copy, channels, side)):
        if isinstance(tensor, _Marked):
            tensor.readers.others.append("the caller of the model")
    return readers


def _note_layer(path: str, original: nn.Module, layer: nn.Module, given: tuple[Any, ...]) -> None:
    for tensor in _tensors(given):
        if isinstance(tensor, _Marked):
            tensor.readers.layers[path] = original


class _StandIn(nn.Module):
    """In place of stage `number`: notes whose output it reads, and makes a marked tensor of the stage's shape."""

    def __init__(self, number: int, stage: StageDescription, readers: Sequence[Readers]) -> None:
        super().__init__()
        self.number, self.stage, self.readers = number, stage, readers

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, _Marked):
            x.readers.stages.append(self.number)
        size = [max(side // self.stage.stride, 1) for side in x.shape[2:]]
        return _mark(zeros(x.shape[0], self.stage.channels, *size), self.readers[self.number])


class _Marked(torch.Tensor):
    """A stage's output: notes every function that takes it. Functions that act on each channel hand the mark on."""

    readers: Readers

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        if not isinstance(result, Tensor):
            return result  # a size or a dtype: no data flows
        given = list(_tensors((args, kwargs)))
        name = getattr(func, "__name__", str(func))
        marked = [tensor for tensor in given if isinstance(tensor, _Marked)]
        if len(given) == 1 and name in _CHANNEL_WISE:
            return _mark(result, marked[0].readers)
        for tensor in marked:
            tensor.readers.others.append(f"the function {name}")
        return result.as_subclass(torch.Tensor)


def _mark(tensor: Tensor, readers: Readers) -> _Marked:
    marked = tensor.as_subclass(_Marked)
    marked.readers = readers
    return marked


def _tensors(nested: Any) -> Iterator[Tensor]:
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, Mapping):
        for value in nested.values():
            yield from _tensors(value)
    elif isinstance(nested, list | tuple):
        for value in nested:
            yield from _tensors(value)


def refusal(stage: StageDescription, number: int, read: Readers) -> str:
    """Why the output of `stage` cannot become narrower, "" if it can: one reader, of a kind that can follow.

    It can be a later stage, or a layer outside the stages that takes exactly the stage's channels. Norms in between
    follow as well.
    """
    heads = [path for path, layer in read.layers.items() if not isinstance(layer, NORMS)]
    names = [*(f"stage {later + 1}" for later in read.stages), *heads, *read.others]
    if len(names) != 1 or read.others or min(read.stages, default=number + 1) <= number:
        listed = ", ".join(dict.fromkeys(names)) or "nothing"
        return f"the output of stage {stage.path} is read by {listed}, not by one next stage or classifier alone"
    for path in heads:
        layer = read.layers[path]
        width = layer.in_features if isinstance(layer, nn.Linear) else getattr(layer, "in_channels", None)
        if width != stage.channels or getattr(layer, "groups", 1) > 1:
            return f"the output of stage {stage.path} is read by {path}, which cannot follow a narrower stage"
    return ""
