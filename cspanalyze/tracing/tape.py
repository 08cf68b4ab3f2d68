"""Which forward operation each step of the backward pass belongs to, and which tensors autograd kept for it."""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import Any

import torch
from torch import Tensor

_UNSHARED = 4
_UNSHARED_IN_PYTHON = 3
"""References to an operand that nothing but autograd's input buffer holds, seen from a dispatch handler: in C++ the
buffer's, the call's two and Python's; in Python the two of the handler's arguments and that of the question itself."""


class Tape:
    """Links autograd's nodes to the operations of the trace, by the sequence numbers that autograd gives its nodes.

    A differentiable operation takes its number just before it is dispatched; in the backward pass the node that runs
    carries it.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[int, int, int]] = []  # (value, operations recorded by then, open call)
        self._numbers: list[int] = []
        self._ops: list[int] = []
        self._latest = -1

    def advance(self, op: int) -> None:
        """Operation `op` is being recorded; it owns the autograd node made for it, if one was."""
        number = torch._C._autograd._get_sequence_nr() - 1
        if number >= 0 and (not self._numbers or number > self._numbers[-1]):
            self._numbers.append(number)
            self._ops.append(op)

    def origin(self) -> int:
        """The operation whose gradient is being computed; -1 before the first.

        Nodes that only pass gradients on (accumulation into a parameter, sums where paths meet) belong to the
        operation that delivered the gradient; a node made after its operation was dispatched (of a write through a
        view) has no number of its own here and goes with the last operation before it.
        """
        node = torch._C._current_autograd_node()
        if node is not None and not node.name().endswith("AccumulateGrad"):
            position = bisect_right(self._numbers, node._sequence_nr()) - 1
            self._latest = self._ops[position] if position >= 0 else -1
        return self._latest


def accumulates_in_place(args: tuple[Any, ...]) -> bool:
    """Whether an addition in the backward pass would write its first operand in an ordinary run.

    Where paths of gradients meet, autograd adds into the gradient that came first if nobody else holds it; under a
    dispatch mode it always makes a new tensor, which would be counted as memory.
    """
    if torch._C._current_autograd_node() is None or len(args) != 2:
        return False
    if sys.getrefcount(args[0]) > _UNSHARED_IN_PYTHON or args[0]._use_count() != _UNSHARED:
        return False
    first, second = args
    if not isinstance(second, Tensor) or first.shape != second.shape or first.dtype != second.dtype:
        return False
    return bool(first.nbytes == first.untyped_storage().nbytes() and 0 not in first.stride())
