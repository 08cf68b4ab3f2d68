"""What torch really allocates while a function runs, from the profiler's allocation events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._C._profiler import _EventType
from torch.profiler import ProfilerActivity, profile


@dataclass
class Block:
    """One allocation: its size, when it was made and freed (as positions among all events), in which operators."""

    nbytes: int
    start: int
    stop: int | None
    operators: tuple[str, ...]
    freed_in: tuple[str, ...] = ()

    @property
    def is_workspace(self) -> bool:
        """Made and freed inside one and the same convolution."""
        if self.stop is None:
            return False
        return any("convolution" in name for name in set(self.operators) & set(self.freed_in))


def blocks(function: Callable[[], Any]) -> list[Block]:
    """Every allocation that the function made, also those it freed again."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = function()
    del result
    events: list[tuple[int, Any, tuple[str, ...]]] = []

    def collect(event: Any, operators: tuple[str, ...]) -> None:
        if event.tag == _EventType.Allocation:
            events.append((event.start_time_ns, event.extra_fields, operators))
        # The start time tells two runs of one operator apart.
        inner = (*operators, f"{event.name}@{event.start_time_ns}")
        for child in event.children:
            collect(child, inner)

    for root in profiler.profiler.kineto_results.experimental_event_tree():
        collect(root, ())
    events.sort(key=lambda event: event[0])
    made: list[Block] = []
    live: dict[int, Block] = {}
    for position, (_, fields, operators) in enumerate(events):
        if fields.alloc_size > 0:
            live[fields.ptr] = Block(fields.alloc_size, position, None, operators)
            made.append(live[fields.ptr])
        elif fields.ptr in live:  # else it was there before
            block = live.pop(fields.ptr)
            block.stop, block.freed_in = position, operators
    return made


class Total(torch.autograd.Function):
    """The sum of all elements; its gradient is a tensor of ones that is freed as soon as it is used."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.shape = tensor.shape
        return tensor.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.new_ones(ctx.shape)


def peak(made: list[Block]) -> int:
    """Largest number of bytes live at once."""
    changes = [(block.start, block.nbytes) for block in made]
    changes += [(block.stop, -block.nbytes) for block in made if block.stop is not None]
    live = highest = 0
    for _, amount in sorted(changes):
        live += amount
        highest = max(highest, live)
    return highest
