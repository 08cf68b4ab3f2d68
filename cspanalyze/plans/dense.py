"""Blocks that concatenate: DenseNet's dense blocks with their transition, VoVNet's one-shot aggregation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from cspanalyze.plans.layers import Unknown, convolutions, read_chain, window_of
from cspanalyze.stage_plans import Chain, DenseLayers, OneShotAggregation, Part, Transition


def is_dense_block(module: nn.Module) -> bool:
    """A block of modules that DenseNet's implementations all name `denselayer1`, `denselayer2`, .."""
    names = [name for name, _ in module.named_children()]
    return bool(names) and all(name.startswith("denselayer") for name in names)


def read_dense_block(layers: Sequence[nn.Module]) -> DenseLayers:
    """The record of dense layers, each of which reads the base and all outputs before it.

    Raises:
        Unknown: a layer has other convolutions than [1x1 and] one that keeps the size, or another width than its turn.
    """
    found = [convolutions(layer) for layer in layers]
    first = found[0]
    if not 1 <= len(first) <= 2:
        raise Unknown("a dense layer of more than two convolutions")
    c, d, width = first[0].in_channels, first[-1].out_channels, first[0].out_channels if len(first) == 2 else 0
    for turn, convs in enumerate(found):
        widths = [c + turn * d, *([width, width] if width else []), d]
        if [width for conv in convs for width in (conv.in_channels, conv.out_channels)] != widths:
            raise Unknown("dense layers of unequal widths")
        if not all(window_of(conv).keeps_size for conv in convs):
            raise Unknown("a dense layer with a stride")
    return DenseLayers(c, len(found), d, width)


def with_transition(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, with a 1x1 that reads all of a dense block just before it turned from a chain into its transition."""
    out: list[Part] = []
    for part in parts:
        before = out[-1] if out else None
        if isinstance(part, Chain) and isinstance(before, DenseLayers):
            first, rest = part.steps[0], part.steps[1:]
            if first.in_channels == before.c + before.m * before.d and first.window((3, 3)) == (3, 3):
                out.append(Transition(before.c, before.m, before.d, first.out_channels))
                out += [Chain(rest)] if rest else []
                continue
        out.append(part)
    return tuple(out)


def is_one_shot(module: nn.Module) -> bool:
    """VoVNet's block as timm names its modules."""
    return hasattr(module, "conv_mid") and hasattr(module, "conv_concat")


def read_one_shot(module: nn.Module) -> OneShotAggregation:
    """The record of a one-shot aggregation.

    Raises:
        Unknown: it has a reducing or depthwise convolution or an attention, or its widths do not add up.
    """
    middle = [step for child in _child(module, "conv_mid").children() for step in read_chain([child]).steps]
    (last,) = read_chain([_child(module, "conv_concat")]).steps
    c, d, m = middle[0].in_channels, middle[0].out_channels, len(middle)
    widths = [(c, d)] + [(d, d)] * (m - 1)
    if [(step.in_channels, step.out_channels) for step in middle] != widths or last.in_channels != c + m * d:
        raise Unknown("a one-shot aggregation of unequal widths")
    if len(convolutions(module)) != m + 1 or any(step.window((9, 9)) != (9, 9) for step in middle):
        raise Unknown("a one-shot aggregation with more than its convolutions")
    return OneShotAggregation(c, m, d, last.out_channels)


def _child(module: nn.Module, name: str) -> nn.Module:
    child = getattr(module, name)
    if not isinstance(child, nn.Module):
        raise Unknown(name)
    return child
