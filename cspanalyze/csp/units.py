"""New layers in the style of a stage's own."""

from __future__ import annotations

from collections import OrderedDict
from math import gcd

import torch
from torch import nn

from cspanalyze.csp.copying import copy_module
from cspanalyze.csp.description import LayerStyle
from cspanalyze.csp.initialising import reset
from cspanalyze.csp.resizing import norm_width, set_norm_width


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of an (N, C, H, W) map, for blocks that normalise with channels last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv_norm_act(
    style: LayerStyle,
    channels: int,
    out: int,
    *,
    like: nn.Conv2d | None = None,
    stride: int = 1,
    activate: bool = True,
    norm_first: bool = False,
) -> nn.Sequential:
    """A convolution with the norm and activation of `style`: (N, channels, H, W) -> (N, out, H/stride, W/stride).

    It is 1x1, or has the kernel, groups and padding mode of `like`. Without a norm in the style it has a bias instead.
    `norm_first` gives the pre-activation order norm, activation, convolution. It is there to be trained: its parameters
    require gradients, those of the style may be frozen.
    """
    conv = _convolution(style, channels, out, like, stride)
    width = channels if norm_first else out
    layers: dict[str, nn.Module] = {}
    if style.norm is not None:
        layers["norm"] = _norm(style.norm, width, style.activation if activate else None)
    if activate and not _activates(style.norm):
        layers["act"] = nn.ReLU(inplace=True) if style.activation is None else _activation(style.activation, width)
    ordered = {**layers, "conv": conv} if norm_first else {"conv": conv, **layers}
    unit = nn.Sequential(OrderedDict(ordered))
    return unit.train(style.conv.training).requires_grad_(True)


def _convolution(style: LayerStyle, channels: int, out: int, like: nn.Conv2d | None, stride: int) -> nn.Conv2d:
    height, width = (1, 1) if like is None else like.kernel_size
    return nn.Conv2d(
        channels,
        out,
        (height, width),
        stride=stride,
        padding=(height // 2, width // 2),
        groups=1 if like is None else like.groups,
        bias=style.norm is None,
        padding_mode="zeros" if like is None else like.padding_mode,
        device=style.conv.weight.device,
        dtype=style.conv.weight.dtype,
    )


def _norm(template: nn.Module, width: int, activation: nn.Module | None) -> nn.Module:
    """A norm like the template for `width` channels, initialised; it holds the activation if such is its kind."""
    if isinstance(template, nn.LayerNorm) and not type(template).__name__.endswith("2d"):  # theirs are for maps already
        like = next(template.parameters(recurse=False), None)
        device, dtype = (None, None) if like is None else (like.device, like.dtype)
        return ChannelNorm(width, template.eps, template.elementwise_affine, device=device, dtype=dtype)
    old = norm_width(template)
    memo = {
        id(tensor): _like(tensor, width)
        for tensor in [*template.parameters(recurse=False), *template.buffers(recurse=False)]
        if tensor.dim() == 1 and len(tensor) == old
    }
    norm = copy_module(template, memo)
    set_norm_width(norm, width)
    if isinstance(norm, nn.GroupNorm) and width % norm.num_groups:
        norm.num_groups = gcd(width, norm.num_groups)  # the template may stand at another width
    if _activates(template):
        norm.act = nn.Identity() if activation is None else _activation(activation, width)
    reset(norm)
    return norm


def _activation(template: nn.Module, width: int) -> nn.Module:
    """An activation like the template; one that learns a slope for every channel gets `width` of them."""
    if isinstance(template, nn.PReLU) and template.num_parameters > 1:
        weight = template.weight
        return nn.PReLU(width, template.init, device=weight.device, dtype=weight.dtype)
    return copy_module(template, {})


def _activates(norm: nn.Module | None) -> bool:
    """Whether a norm holds its activation itself, as timm's do."""
    return isinstance(getattr(norm, "act", None), nn.Module)


def _like(tensor: torch.Tensor, width: int) -> torch.Tensor:
    empty = tensor.detach().new_empty(width)
    return nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty
