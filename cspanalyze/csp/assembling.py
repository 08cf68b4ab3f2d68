"""Builds the CSPStage of a described stage: one function a preset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from cspanalyze.csp.blocks import Block, narrow_block, narrower_of
from cspanalyze.csp.copying import copy_module
from cspanalyze.csp.description import Entry, StageDescription
from cspanalyze.csp.narrowing import narrow_by_channels
from cspanalyze.csp.resizing import Cut, narrow_copy
from cspanalyze.csp.split import Split, split_channels
from cspanalyze.csp.stage import CSPStage
from cspanalyze.csp.units import conv_norm_act
from cspanalyze.errors import CspError

Fusion = Literal["csp", "first", "last"]
Inner = Literal["keep", "scale"]


@dataclass(frozen=True, slots=True)
class Request:
    """How stages are to be made partial; the words are those of `to_csp`."""

    gamma: float
    fusion: Fusion
    inner: Inner
    control: bool = False

    @property
    def inner_gamma(self) -> float | None:
        """The share that the blocks' inner widths lose; None if they stay."""
        return self.gamma if self.inner == "scale" and not self.control else None

    def split(self, stage: StageDescription) -> Split:
        """The two parts of a stage; of the control, all of it in part 2.

        Raises:
            CspError: gamma cannot be had with the stage's groups.
        """
        if self.control:
            return Split(0, stage.channels)
        return split_channels(stage.channels, self.gamma, stage.stream_groups)


class PresetMisfit(CspError):
    """Preset `paper` does not fit the network, although its stages are of the right kind."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"preset paper does not fit: {reason}")


def assemble(
    stage: StageDescription, preset: str, request: Request, before: int, *, first: bool = False
) -> tuple[CSPStage, int]:
    """The CSP twin of `stage` and its output width.

    `before` is the width that enters it, now that the stages before it have changed; `first` says that none is.

    Raises:
        CspError: gamma cannot be had with the stage's groups, or a block cannot be narrowed.
    """
    if preset == "paper":
        return _paper(stage, request, before, first)
    return _dropin(stage, request, before) if preset == "dropin" else _densenet(stage, request)


def _paper(stage: StageDescription, request: Request, before: int, first: bool) -> tuple[CSPStage, int]:
    """Like the authors' three networks: two 1x1 convolutions make the parts, theta·C channels leave the stage.

    theta = min(1, 2·mid/C) with mid the blocks' narrowest inner width: .5 for ResNet, 1 for ResNeXt and Darknet.
    """
    style, channels = stage.style, stage.channels
    darknet = stage.family == "darknet"
    if darknet and first and request.fusion != "last" and not request.control:
        # The authors do not narrow Darknet's first stage: both parts are as wide as the stage, whatever gamma is.
        # Not for "last", where no transition would bring the 2C channels back to C.
        split = Split(channels, channels)
    else:
        split = request.split(stage)
    parts: dict[str, nn.Module] = {}
    blocks = [block for block in stage.body if isinstance(block, Block)]
    if darknet and stage.entry is not None:
        parts["down"] = narrow_entry(stage.entry, stage.before, before)
        before = channels
    elif stage.stride > 1 and stage.entry is not None:
        parts["down"] = _down(stage, stage.entry, before)
    elif stage.entry is not None:
        blocks.insert(0, blocks[0])  # the entry does not shrink the map: one more block stands in for it
    # Linear in ResNet and ResNeXt (in stages 2 and 3 of the authors' configurations, in all of them in timm).
    if split.bypass:
        parts["part1"] = conv_norm_act(style, before, split.bypass, activate=darknet)
    parts["part2_in"] = conv_norm_act(style, before, split.block, activate=darknet)
    parts["part2"] = nn.Sequential(*(narrow_block(block, split.block, request.inner_gamma) for block in blocks))
    narrowest = min(block.narrowest for block in blocks)
    out = _transitions(parts, stage, request, split, min(channels, 2 * narrowest))
    return _stage(stage, request, split, parts, "paper", sliced=False), out


def _dropin(stage: StageDescription, request: Request, before: int) -> tuple[CSPStage, int]:
    """The entry stays, its output is sliced, and C channels leave the stage as before: it fits any staged network.

    Where the blocks add channels (a dense chain), T1 is as wide as what part 2 has become, and C + those leave.
    """
    split = request.split(stage)
    parts: dict[str, nn.Module] = {}
    if stage.entry is not None:
        parts["down"] = narrow_entry(stage.entry, stage.before, before)
    parts["part2"] = nn.Sequential(*_narrow_body(stage, split.block, request.inner_gamma))
    grown = Split(split.bypass, split.block + stage.grown)
    out = _transitions(parts, stage, request, grown, stage.channels + stage.grown)
    return _stage(stage, request, split, parts, "dropin", sliced=True), out


def _densenet(stage: StageDescription, request: Request) -> tuple[CSPStage, int]:
    """Only part 2 of the base channels goes through the dense layers; the network's own transition is T2.

    T1 is a pre-activation 1x1 that halves, as the network's transitions do; after the last block, where no transition
    follows, it keeps the width. Fusion "first" has the own transition alone; in "last" the own transition acts on
    part 2 and is narrower at both ends, so that with part 1, which is pooled only, as many channels leave as before.
    """
    dense = stage.dense
    assert dense is not None
    split = request.split(stage)
    width = split.block + dense.made
    parts: dict[str, nn.Module] = {"part2": nn.Sequential(_narrow_dense(stage, request, split))}
    transition = dense.transition
    out = stage.channels + dense.made
    if transition is not None:
        out = transition.widths[-1]
    if transition is None and request.fusion != "first":
        parts["transition1"] = conv_norm_act(stage.style, width, width, norm_first=True)
    elif transition is not None and request.fusion == "csp":
        parts["transition1"] = conv_norm_act(stage.style, width, width // 2, norm_first=True)
        cut = Cut(transition.widths[0], split.bypass + width // 2)
        parts["transition2"] = narrow_copy(transition.module, transition.cuts(cut, None))
    elif transition is not None and request.fusion == "first":
        parts["transition2"] = copy_module(transition.module, {})
    elif transition is not None:
        if out <= split.bypass:
            raise CspError(f"stage {stage.path} hands on {out} channels, fewer than the {split.bypass} that bypass it")
        cuts = transition.cuts(Cut(transition.widths[0], width), Cut(out, out - split.bypass))
        parts["transition1"] = narrow_copy(transition.module, cuts)
        if split.bypass:
            parts["part1"] = _pooling(transition.module)
    return _stage(stage, request, split, parts, "densenet", sliced=True), out


def narrow_entry(entry: Entry, before: int, width: int) -> nn.Module:
    """A copy of a stage's entry that reads `width` instead of `before` channels.

    Raises:
        PresetMisfit: its shortcut adds the input unchanged, so that its output would have to shrink as well.
    """
    if before == width:
        return copy_module(entry.module, {})
    cut = Cut(before, width)
    block = entry.block
    if block is None:
        return narrow_copy(entry.module, {entry.conv_path: (cut, None)})
    if not block.projection or any(boundary == 0 for _, boundary in block.norms):
        raise PresetMisfit(f"the input of a {type(block.module).__name__} entry block cannot be narrowed by itself")
    return narrow_copy(entry.module, {block.convs[0]: (cut, None), block.projection: (cut, None)})


def _down(stage: StageDescription, entry: Entry, channels: int) -> nn.Module:
    """The convolution that takes over the entry block's stride, from `channels` to as many."""
    if channels % entry.conv.groups:
        raise PresetMisfit(
            f"the strided convolution of stage {stage.path} would have {channels} channels, no multiple of its "
            f"{entry.conv.groups} groups"
        )
    return conv_norm_act(stage.style, channels, channels, like=entry.conv, stride=stage.stride)


def _narrow_body(stage: StageDescription, width: int, gamma: float | None) -> Iterator[nn.Module]:
    """The blocks, `width` channels wide; each reads what the one before it makes, channel by channel."""
    gone: tuple[int, ...] = ()
    bypass = stage.channels - width
    for block in stage.body:
        if isinstance(block, Block):
            yield narrow_block(block, width, gamma)
        elif not bypass:
            yield copy_module(block.module, {})
        elif (narrower := narrower_of(block.module)) is not None:
            gone = ()
            yield narrower(block.module, block.shape[1], block.shape[1] - bypass)
        else:
            narrow = narrow_by_channels(block, block.shape[1] - bypass, gamma, gone)
            gone = narrow.gone
            yield narrow.module


def _transitions(parts: dict[str, nn.Module], stage: StageDescription, request: Request, split: Split, out: int) -> int:
    """Add T1 (as wide as part 2) and T2 (to `out`) as the fusion asks; the width that leaves the stage."""
    total = split.bypass + split.block
    if request.fusion != "first":
        parts["transition1"] = conv_norm_act(stage.style, split.block, split.block)
    if request.fusion == "last":
        return total
    parts["transition2"] = conv_norm_act(stage.style, total, out)
    return out


def _narrow_dense(stage: StageDescription, request: Request, split: Split) -> nn.Module:
    """The dense block on part 2 only: every layer reads c1 channels fewer; growth stays."""
    assert stage.dense is not None
    cuts: dict[str, tuple[Cut | None, Cut | None]] = {}
    for name, layer in stage.dense.layers:
        read = Cut(layer.widths[0], layer.widths[0] - split.bypass)
        cuts |= {f"{name}.{path}": pair for path, pair in layer.cuts(read, None, request.inner_gamma).items()}
    return narrow_copy(stage.module, cuts)


def _pooling(transition: nn.Module) -> nn.Module:
    pools = [layer for layer in transition.modules() if isinstance(layer, nn.AvgPool2d | nn.MaxPool2d)]
    return copy_module(pools[0], {}) if pools else nn.Identity()


def _stage(
    stage: StageDescription, request: Request, split: Split, parts: dict[str, nn.Module], preset: str, *, sliced: bool
) -> CSPStage:
    module = CSPStage(
        parts,
        sliced=sliced,
        split=split,
        gamma=0.0 if request.control else request.gamma,
        fusion=request.fusion,
        preset=preset,
        source_names=stage.source_names,
    )
    for new in (module, *module.children()):  # only containers: what is in them has its own flag
        if isinstance(new, CSPStage | nn.Sequential | nn.Identity) and new is not parts.get("down"):
            new.training = stage.module.training
    return module
