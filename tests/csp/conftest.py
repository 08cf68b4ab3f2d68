"""Fixtures of the tests of the CSP transform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cspanalyze import zoo


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _count_macs(model: nn.Module, side: int) -> int:
    """Multiply-adds of the convolutions and linear layers at side x side: output elements times kernel size."""
    total = 0

    def count(layer: nn.Module, _: tuple[Tensor, ...], made: Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += made.numel() * layer.weight[0].numel()

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    model.eval()(torch.empty(1, 3, side, side, device="meta"))
    for handle in handles:
        handle.remove()
    return total


@pytest.fixture(scope="session")
def macs() -> Callable[[nn.Module, int], int]:
    """(meta model, side of the input) -> multiply-adds, counted by hooks: a route of its own."""
    return _count_macs


@pytest.fixture(scope="session")
def params() -> Callable[[nn.Module], int]:
    """Number of parameters."""
    return lambda model: sum(parameter.numel() for parameter in model.parameters())


@pytest.fixture(scope="session")
def meta_zoo() -> Callable[..., nn.Module]:
    """A network of the zoo on the meta device."""

    def build(name: str, **overrides: object) -> nn.Module:
        with torch.device("meta"):
            return zoo.create(name, **overrides)

    return build


@pytest.fixture
def small() -> Iterator[Callable[[str], nn.Module]]:
    """One network of each family on the CPU, shallow, with ten classes and seeded weights."""
    shapes: dict[str, dict[str, Any]] = {
        "resnet18": {},
        "resnet50": {"depths": (2, 2, 2, 2)},
        "seresnet50": {"depths": (2, 2, 2, 2)},
        "resnext50_32x4d": {"depths": (2, 2, 2, 2)},
        "darknet53": {"depths": (1, 2, 2), "widths": (64, 128, 256)},
        "densenet121": {"depths": (2, 3, 2)},
    }

    def build(name: str) -> nn.Module:
        torch.manual_seed(0)
        return zoo.create(name, num_classes=10, **shapes[name])

    state = torch.get_rng_state()
    yield build
    torch.set_rng_state(state)
