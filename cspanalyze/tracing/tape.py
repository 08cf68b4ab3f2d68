"""Which forward operation each step of the backward pass belongs to, and which tensors autograd kept for it."""

from __future__ import annotations

from bisect import bisect_right

import torch


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
