"""What an adapter says about a stage: enough for the assembler to build its CSP twin, whatever the family.

A new family is one more adapter class in `ADAPTERS` (file `finding.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from cspanalyze.csp.blocks import Block
from cspanalyze.csp.narrowing import ChannelBlock
from cspanalyze.csp.shadow import run, shadow, zeros
from cspanalyze.errors import CspError


@dataclass(frozen=True)
class LayerStyle:
    """Templates of the layers that a stage's blocks use, for new layers that match them.

    `conv` gives dtype, device, padding mode and training flag; `norm` type and settings (None: blocks without norm);
    `activation` is None where a block activates by a function call, which a module cannot show: new
    layers then use ReLU.
    """

    conv: nn.Conv2d
    norm: nn.Module | None
    activation: nn.Module | None


@dataclass(frozen=True)
class Entry:
    """What a stage has before its body: a block like those of the body (`block`), or one convolution unit.

    `conv` is the convolution that changes the width or the size of the map, `conv_path` its path in `module`.
    """

    module: nn.Module
    conv: nn.Conv2d
    conv_path: str
    block: Block | None = None


@dataclass(frozen=True)
class DenseParts:
    """What a DenseNet stage has besides its dense layers.

    `made` is how many channels the layers add to the stage's `channels`. `transition` is the layer of norm, activation,
    1x1 and pooling that follows (None after the last block), at `transition_path`, read as a block.
    """

    layers: tuple[tuple[str, Block], ...]
    made: int
    transition: Block | None = None
    transition_path: str = ""


@dataclass(frozen=True)
class StageDescription:
    """A stage found in a network.

    `module` becomes the CSPStage. `path` is what the stage is called: the module's path or, where that is only the
    first of several blocks, the path of what holds them. `entry` changes width or size before the body, `body` are the
    blocks of equal shape, `channels` the width C of the stream through them, `before` the width that enters the stage,
    `stride` by how much the entry shrinks the map, `stream_groups` the groups that part widths must respect.
    `presets` are the rules that fit, best first. `reason` says why the stage cannot be made partial ("" if it can).
    `replaced` are modules beside `module` whose work the CSPStage does too: an Identity takes the place of each.
    `grown` is how many channels a dense chain adds to its C, which are then the width that enters it.
    """

    path: str
    module: nn.Module
    family: str
    channels: int
    before: int
    stride: int
    stream_groups: int
    body: tuple[Block | ChannelBlock, ...]
    presets: tuple[str, ...]
    source_names: tuple[str, ...]
    style: LayerStyle
    entry: Entry | None = None
    dense: DenseParts | None = None
    reason: str = ""
    replaced: tuple[nn.Module, ...] = ()
    grown: int = 0


def join(parent: str, name: str) -> str:
    """The path of a module from its parent's path ("" for the root) and its name there."""
    return f"{parent}.{name}" if parent else name


def style_of(modules: Sequence[nn.Module], conv: nn.Conv2d, norms: Sequence[nn.Module]) -> LayerStyle:
    """The style of the layers in `modules`, of which `conv` and `norms` are some."""
    activations = [layer for module in modules for layer in module.modules() if _is_activation(layer)]
    return LayerStyle(conv, norms[0] if norms else None, activations[0] if activations else None)


def _is_activation(layer: nn.Module) -> bool:
    """Whether a module is an activation: torch and timm define theirs in modules of that name."""
    home = type(layer).__module__.rpartition(".")[2]
    return home.startswith("activation") and not isinstance(layer, nn.MultiheadAttention)


def shrinkage(module: nn.Module, channels: int) -> int:
    """By how much `module` divides the height of an (N, channels, H, W) map, found by running its shadow.

    Not read off the strides: an anti-aliased block shrinks the map by a pooling.

    Raises:
        CspError: it does not run on such a map.
    """
    side = 4
    try:
        made = run(shadow(module), channels, side)
        return side // int(made.shape[2])
    except Exception as error:  # whatever a foreign forward raises
        raise CspError(f"a {type(module).__name__} of the stage does not run by itself: {error}") from error


def is_sequence(container: nn.Module) -> bool:
    """Whether `container` runs its children in order of registration, each on the output of the one before.

    Found out by running its forward with a recording stand-in for every child, but for a plain `nn.Sequential`.
    """
    if type(container).forward is nn.Sequential.forward:
        return True
    children = list(container.children())
    calls: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []
    probes = {id(child): _Probe(calls) for child in children}
    if len(children) != len([child for child in container._modules.values() if child is not None]):
        return False  # a child registered twice
    try:
        end = run(shadow(container, dict(probes)), 1)
    except Exception:  # whatever a foreign forward raises: it is not the plain sequence that was hoped for
        return False
    if [probe for probe, _, _ in calls] != list(probes.values()):
        return False
    handed_on = all(before is given for (_, _, before), (_, given, _) in pairwise(calls))
    return handed_on and bool(calls) and end is calls[-1][2]


class _Probe(nn.Module):
    """Stands in for a child: takes one tensor, makes a fresh one, and writes both down."""

    def __init__(self, calls: list[tuple[nn.Module, torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self._calls = calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = zeros(*x.shape)
        self._calls.append((self, x, made))
        return made
