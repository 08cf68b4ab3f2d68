"""A module wrapped by `torch.compile` is counted as the one inside; torch's compiler is not needed for it."""

from __future__ import annotations

import torch
from torch import nn

from cspanalyze.tracing import trace


class OptimizedModule(nn.Module):
    """Of the name and attribute by which torch's own wrapper is known."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inner

    def forward(self, *args: object) -> None:
        raise AssertionError("compiled code must not run under the recorder")


def test_the_inner_module_is_traced() -> None:
    inner = nn.Sequential(nn.Linear(4, 2))
    graph = trace(OptimizedModule(inner), torch.rand(1, 4))
    assert [op.module for op in graph.ops] == ["0"]
    assert [parameter.names[0] for parameter in graph.parameters] == ["0.weight", "0.bias"]
