"""Darknet's activation functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

LEAKY_SLOPE = 0.1
"""Slope of `leaky` below zero."""


class HardMish(nn.Module):
    """x above 0, x^2 / 2 + x down to -2, 0 below."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return torch.where(x > 0, x, torch.where(x > -2, x * x / 2 + x, torch.zeros_like(x)))


class Loggy(nn.Module):
    """The logistic function stretched to -1..1."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return 2 * torch.sigmoid(x) - 1


class Ramp(nn.Module):
    """The positive part + x / 10."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return torch.relu(x) + 0.1 * x


_MODULES: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "linear": nn.Identity,
        "leaky": lambda: nn.LeakyReLU(LEAKY_SLOPE),
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "logistic": nn.Sigmoid,
        "loggy": Loggy,
        "tanh": nn.Tanh,
        "elu": nn.ELU,
        "selu": nn.SELU,
        "gelu": lambda: nn.GELU(approximate="tanh"),
        "swish": nn.SiLU,
        "mish": nn.Mish,
        "hard_mish": HardMish,
        "hardtan": nn.Hardtanh,
        "ramp": Ramp,
        "relie": lambda: nn.LeakyReLU(0.01),
    }
)


def activation(name: str) -> nn.Module:
    """The module of an activation function, an `Identity` for `linear`."""
    return _MODULES[name]()
