"""What the parameters of written source hold before any training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cspanalyze.csp import to_csp
from cspanalyze.errors import CspError
from cspanalyze.pipeline.twins import twin_file


class Scaled(nn.Module):
    """A residual block with a scale of its own, as ConvNeXt's."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(32, 32, 3, padding=1)
        self.two = nn.Conv2d(32, 32, 1)
        self.scale = nn.Parameter(torch.full((32, 1, 1), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.scale * self.two(F.relu(self.one(x)))
        return y


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(32, 32, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x + F.conv2d(x, self.kernel, padding=1)


def net(block: type[nn.Module]) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.Sequential(block(), block(), block()))


def test_constants_are_written_and_nothing_is_left_uninitialised() -> None:
    scope: dict[str, Any] = {"__name__": "twin"}
    text = twin_file(net(Scaled), ".py", torch.rand(1, 3, 16, 16)).decode()
    assert "torch.empty" not in text
    exec(text, scope)
    state = scope["Sequential"]().state_dict()
    scales = [tensor for key, tensor in state.items() if key.endswith("scale")]
    assert scales
    assert all(torch.equal(scale, torch.full_like(scale, 1e-6)) for scale in scales)


def test_functional_convolutions_are_refused_in_words() -> None:
    with pytest.raises(CspError, match=r"has a convolution that is no nn\.Conv2d"):
        to_csp(net(Functional), torch.rand(1, 3, 16, 16))
