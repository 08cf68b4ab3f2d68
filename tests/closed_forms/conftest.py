"""A counter of CIO that shares nothing with the closed forms: hooks on every convolution of a real forward pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

Counts = dict[str, int]
Shape = tuple[int, int, int, int]


def _count(model: nn.Module, shape: Shape, group: Callable[[str], str]) -> Counts:
    counts: Counts = {}

    def hook(path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            counts[group(path)] = counts.get(group(path), 0) + inputs[0].numel() + output.numel()

        return add

    convs = [(path, layer) for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    handles = [layer.register_forward_hook(hook(path)) for path, layer in convs]
    with torch.no_grad():
        model.eval()(torch.empty(shape, device="meta"))
    for handle in handles:
        handle.remove()
    return counts


@pytest.fixture(scope="session")
def hook_count() -> Callable[[nn.Module, Shape, Callable[[str], str]], Counts]:
    """(model on meta, input shape, path -> group) -> input + output elements of the convolutions of every group."""
    return _count
