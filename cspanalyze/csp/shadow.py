"""Shadows: copies of modules that run for the shapes only, in microseconds.

Not the meta device: its kernels for batch norms and even additions are written in Python, take up to a millisecond and
import the compiler first (two seconds). A shadow computes the shapes of convolutions, linear layers and norms by hand,
checks the width that reaches them, and runs everything else for real, on small CPU maps full of zeros.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cspanalyze.csp.copying import M, Memo, copy_module
from cspanalyze.csp.resizing import NORMS, norm_width

LAYERS = (nn.Conv2d, nn.Linear, *NORMS)
"""Kinds of layers that a shadow does not really run."""


def shadow(module: M, memo: Memo | None = None) -> M:
    """A copy for `run`, in inference mode, without hooks, its weights zeros; nothing in it is the original's.

    Convolutions, linear layers and norms only check their input's width and make zeros of the right shape.
    """
    copy = copy_module(module, memo, tensors=_nothing, hooks=False).eval()
    for layer in copy.modules():
        if isinstance(layer, nn.Conv2d) and type(layer).forward is nn.Conv2d.forward:
            layer.forward = partial(_convolve, layer)  # type: ignore[method-assign]
        elif isinstance(layer, nn.Linear):
            layer.forward = partial(_project, layer)  # type: ignore[method-assign]
        elif isinstance(layer, NORMS):
            layer.forward = partial(_normalise, layer)  # type: ignore[method-assign]
    return copy


def run(module: nn.Module, channels: int, side: int = 4) -> Any:
    """What a shadow makes of a (1, channels, side, side) map; the random state is untouched.

    Raises:
        Exception: whatever its forward raises.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return module(zeros(1, channels, side, side))


def zeros(*shape: int) -> Tensor:
    """A new map on the CPU, whatever the default device is."""
    return torch.zeros(shape, dtype=torch.float32, device="cpu")


def _nothing(tensor: Tensor) -> Tensor:
    """Zeros in the shape of a parameter or buffer, which take the memory of one."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    blank = torch.zeros((), dtype=dtype, device="cpu").expand(tensor.shape)
    return nn.Parameter(blank, requires_grad=False) if isinstance(tensor, nn.Parameter) else blank


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    _expect(conv, conv.in_channels, x.shape[1])
    sides = zip(x.shape[2:], conv.kernel_size, conv.stride, conv.dilation, _padding(conv), strict=True)
    made = [
        (side + padding - dilation * (kernel - 1) - 1) // stride + 1
        for side, kernel, stride, dilation, padding in sides
    ]
    return zeros(x.shape[0], conv.out_channels, *made)


def _padding(conv: nn.Conv2d) -> tuple[int, int]:
    """Both sides together, height and width."""
    left, right, top, bottom = conv._reversed_padding_repeated_twice
    return top + bottom, left + right


def _project(linear: nn.Linear, x: Tensor) -> Tensor:
    _expect(linear, linear.in_features, x.shape[-1])
    return zeros(*x.shape[:-1], linear.out_features)


def _normalise(norm: nn.Module, x: Tensor) -> Tensor:
    width = norm_width(norm)
    _expect(norm, width, x.shape[1])
    if isinstance(norm, nn.GroupNorm) and width % norm.num_groups:
        raise ValueError(f"a GroupNorm cannot part {width} channels in {norm.num_groups} groups")
    return x


def _expect(layer: nn.Module, width: int, given: int) -> None:
    if width != given:
        raise ValueError(f"a {type(layer).__name__} for {width} channels is given {given}")
