"""Describes the chains of any network as stages of preset `dropin`."""

from __future__ import annotations

from math import lcm

import torch
from torch import nn

from cspanalyze.csp.chains import Chain, Link
from cspanalyze.csp.description import StageDescription, style_of
from cspanalyze.csp.narrowing import ChannelBlock, NarrowingError
from cspanalyze.csp.resizing import NORMS
from cspanalyze.errors import CspError


def example_input(model: nn.Module) -> tuple[torch.Tensor, ...]:
    """A batch of one image of 224 x 224 with as many channels as the first convolution reads, on the meta device."""
    convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    if not convs:
        raise CspError(
            "no staged convolution chain found; CSP splits the channels of N,C,H,W maps, and this network "
            "has no 2-d convolution"
        )
    return (torch.empty(1, convs[0].in_channels, 224, 224, dtype=convs[0].weight.dtype, device="meta"),)


def describe(chain: Chain) -> StageDescription:
    """A chain as a stage: no entry, the input of its first block is sliced."""
    blocks = [_block(link) for link in chain.links]
    first = blocks[0].module
    convs = [layer for layer in first.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in first.modules() if isinstance(layer, (*NORMS, nn.LayerNorm))]
    groups, reason = 1, ""
    if not convs:
        raise CspError(
            f"{chain.links[0].path} ({type(first).__name__}) has a convolution that is no nn.Conv2d: only layers that "
            "are modules can be narrowed"
        )
    try:
        groups = lcm(*(block.step for block in blocks))
    except NarrowingError as error:
        reason = f"block {blocks[0].path} does not run by itself: {error}"
    return StageDescription(
        path=chain.path,
        module=chain.links[0].modules[0],
        family="chain",
        channels=chain.shape[1],
        before=chain.shape[1],
        stride=1,
        stream_groups=groups,
        body=tuple(blocks),
        presets=("dropin",),
        source_names=tuple(path for link in chain.links for path in link.paths),
        style=style_of([first], convs[0], norms),
        reason=reason,
        grown=chain.grown,
        replaced=tuple(module for link in chain.links for module in link.modules)[1:],
    )


def _block(link: Link) -> ChannelBlock:
    module = link.modules[0] if len(link.modules) == 1 else nn.Sequential(*link.modules)
    return ChannelBlock(module, link.shape, link.path, link.growth.channels)
