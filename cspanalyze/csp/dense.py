"""Recognises the stages of DenseNets by their structure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from cspanalyze.csp.blocks import DENSE, Block, read_block
from cspanalyze.csp.description import DenseParts, StageDescription, is_sequence, join, style_of
from cspanalyze.csp.resizing import NORMS, norm_width


class DenseAdapter:
    """Reads a module as a dense block: layer i reads C + i·g channels and makes g more.

    A transition (norm, activation, 1x1, pooling) right after it in a plain sequence belongs to the stage. The
    concatenation itself is not visible in the modules; the assembled stage is run once, which shows it.
    """

    def __init__(self) -> None:
        self._parents: dict[int, tuple[str, nn.Module]] = {}

    def read(self, path: str, module: nn.Module) -> StageDescription | None:
        """The stage that `module` is, None if it is none."""
        self._parents |= {id(child): (path, module) for child in module.children()}
        layers = _dense_layers(module)
        if layers is None:
            return None
        channels = layers[0][1].widths[0]
        made = sum(layer.widths[-1] for _, layer in layers)
        transition_path, transition = self._transition_after(module, channels + made)
        first = layers[0][1]
        norms = [first.module.get_submodule(name) for name, _ in first.norms]
        return StageDescription(
            path=path,
            module=module,
            family="densenet",
            channels=channels,
            before=channels,
            stride=1,
            stream_groups=first.conv(0).groups,
            body=tuple(layer for _, layer in layers),
            presets=("densenet",),
            source_names=(path, transition_path) if transition else (path,),
            style=style_of([first.module], first.conv(0), norms),
            dense=DenseParts(layers, made, transition, transition_path),
        )

    def settle(self, found: Sequence[StageDescription]) -> list[StageDescription]:
        """Every dense block is a stage."""
        return list(found)

    def _transition_after(self, module: nn.Module, channels: int) -> tuple[str, Block | None]:
        """Path and reading of the transition that runs right after a dense block of `channels`; ("", None) if none."""
        path, parent = self._parents.get(id(module), ("", None))
        if parent is None:
            return "", None
        siblings = [(name, child) for name, child in parent._modules.items() if child is not None]
        after = [item for (_, child), item in pairwise(siblings) if child is module]
        if len(after) != 1 or sum(child is after[0][1] for _, child in siblings) != 1 or not is_sequence(parent):
            return "", None
        name, sibling = after[0]
        read = _transition(sibling, channels)
        return (join(path, name), read) if read else ("", None)


def _dense_layers(module: nn.Module) -> tuple[tuple[str, Block], ...] | None:
    layers: list[tuple[str, Block]] = []
    for name, child in module.named_children():
        block = read_block(child, DENSE)
        if block is None or block.projection:
            return None
        if layers and block.widths[0] != layers[-1][1].widths[0] + layers[-1][1].widths[-1]:
            return None
        layers.append((name, block))
    return tuple(layers) if len(layers) > 1 else None


def _transition(module: nn.Module, channels: int) -> Block | None:
    """The one pointwise convolution of a transition that reads `channels`, with its norm; None if it is none."""
    convs = [(path, layer) for path, layer in module.named_modules() if isinstance(layer, nn.Conv2d)]
    norms = [(path, layer) for path, layer in module.named_modules() if isinstance(layer, NORMS)]
    if len(convs) != 1 or len(norms) > 1 or not any(module.children()):
        return None
    path, conv = convs[0]
    if conv.in_channels != channels or conv.kernel_size != (1, 1) or conv.groups != 1:
        return None
    order = list(module.modules())
    placed = tuple((name, int(order.index(norm) > order.index(conv))) for name, norm in norms)
    widths = (conv.in_channels, conv.out_channels)
    if any(norm_width(module.get_submodule(name)) != widths[place] for name, place in placed):
        return None
    return Block(module, (path,), widths, placed)
