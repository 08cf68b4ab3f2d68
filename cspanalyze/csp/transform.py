"""From a network to its Cross Stage Partial twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, get_args

from torch import nn

from cspanalyze.csp.assembling import Fusion, Inner, PresetMisfit, Request
from cspanalyze.csp.conversion import Conversion, CspTwin
from cspanalyze.csp.description import StageDescription
from cspanalyze.csp.finding import Found, NoStage, find_stages, trace_stages
from cspanalyze.csp.initialising import Init
from cspanalyze.csp.narrowing import NarrowingError
from cspanalyze.csp.split import check_gamma
from cspanalyze.csp.verifying import verify
from cspanalyze.darknet.network import DarknetNet
from cspanalyze.errors import CspError

Preset = Literal["auto", "paper", "dropin", "densenet"]


def to_csp(
    model: nn.Module,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    gamma: float = 0.5,
    fusion: Fusion = "csp",
    preset: Preset = "auto",
    inner: Inner = "keep",
    stages: Sequence[int | str] | None = None,
    init: Init = "reset",
    seed: int = 0,
    control: bool = False,
) -> CspTwin:
    """Make the stages of `model` cross stage partial (arXiv 1911.11929, section 3), in a deep copy of it.

    Args:
        model: any network with chains of blocks that map (N, C, H, W) to the same shape. It is left as it is: weights,
            hooks, flags. On the meta device the twin is there too. Hooks on the stages themselves do not go along.
        inputs: what the network takes, looked at only where its stages have to be found by a trace; without any, one
            image of 224 x 224. Tensors may be on the meta device.
        kwargs: its keyword inputs.
        gamma: share of a stage's channels that bypasses its blocks, 0 < gamma < 1; rounded as `split_channels` says.
            Some ports of the paper call the other share gamma.
        fusion: "csp" (transition of part 2, concatenation, transition), "first" (concatenation, transition) or "last"
            (transition of part 2, concatenation).
        preset: "paper" (two 1x1 convolutions make the parts, as in the authors' CSPResNet-50, CSPResNeXt-50 and
            CSPDarknet-53), "dropin" (the output of the stage's first block is sliced; shapes between the stages stay),
            "densenet" (dense layers on part of the base channels), or "auto": the first of these that fits.
        inner: whether the blocks' inner widths stay ("keep", the authors' choice) or shrink by gamma too ("scale").
        stages: which to change, by number from 1 (2 or "stage2") or by the path of a stage or of one of its blocks;
            None for all.
        init: "reset" draws every new module anew, and so each stage but for an entry that stays. "slice" keeps the
            weights of the last channels in the narrowed blocks; modules without counterpart are drawn anew.
        seed: of those draws. The random state outside is not touched.
        control: make the depth-matched control of that twin instead: the same transitions, but gamma 0 and no split, so
            that all channels go through the blocks. What differs between the control and the twin is due to the split.

    `paper` makes a stage's output narrower and rebuilds what reads it: refused where a forward pass shows another
    reader than one next stage or one classifier layer (`rehearse` says what that cannot see).

    Raises:
        CspError: an argument is off, no stage is found or left, or the preset does not fit the network.

    >>> import torch
    >>> from cspanalyze.zoo import create
    >>> twin = to_csp(create("resnet18"), gamma=0.25)
    >>> [(change.stage, change.bypass_channels, change.block_channels) for change in twin.changes[1:]]
    [('layer2', 32, 96), ('layer3', 64, 192), ('layer4', 128, 384)]
    >>> twin.model(torch.rand(1, 3, 64, 64)).shape
    torch.Size([1, 1000])
    """
    _check_words(fusion=fusion, preset=preset, inner=inner, init=init)
    check_gamma(gamma)
    if isinstance(model, DarknetNet):
        raise CspError(
            "a network of Darknet layers is a list without blocks that could be made partial: take a built-in network "
            "like resnet50, or one that is partial already (cspanalyze models csp)"
        )
    request = Request(gamma, fusion, inner, control)
    found = find_stages(model, inputs, kwargs or {})
    try:
        return _twin(model, found, stages, preset, request, init, seed)
    except NarrowingError as error:
        if found.graph is not None or preset not in ("auto", "dropin"):
            raise
        try:  # blocks that only look like those of a known family
            return _twin(model, trace_stages(model, inputs, kwargs or {}), stages, "dropin", request, init, seed)
        except NoStage:
            raise  # the trace shows what the modules did not
        except CspError:
            raise error from None


def _twin(
    model: nn.Module,
    found: Found,
    stages: Sequence[int | str] | None,
    preset: Preset,
    request: Request,
    init: Init,
    seed: int,
) -> CspTwin:
    """The twin with these stages; where a trace found them another trace proves it."""
    skipped = _skipped(found.stages, stages)
    _refuse_if_none(skipped)
    first, second = _choose(found.stages, preset)
    work = Conversion(model, found.stages, skipped, request, init, seed)
    try:
        twin = work.twin(first)
    except PresetMisfit as misfit:
        if not second:
            raise CspError(f"{misfit}; choose dropin") from misfit
        twin = replace(work.twin(second), notes=(str(misfit),))
    _refuse_if_none([change.skipped for change in twin.changes])
    if found.graph is not None:
        verify(twin.model, found.graph, found.args, found.kwargs)
    return twin


def _refuse_if_none(skipped: Sequence[str]) -> None:
    if all(skipped):
        raise CspError("no stage can be made partial: " + "; ".join(dict.fromkeys(skipped)))


def _check_words(**given: str) -> None:
    known = {"fusion": get_args(Fusion), "preset": get_args(Preset), "inner": get_args(Inner), "init": get_args(Init)}
    for name, value in given.items():
        if value not in known[name]:
            raise CspError(f"unknown {name} {value!r}; choose one of {', '.join(known[name])}")


def _skipped(found: Sequence[StageDescription], wanted: Sequence[int | str] | None) -> list[str]:
    """For every stage why it is skipped, "" if it is not."""
    if wanted is None:
        return [stage.reason for stage in found]
    chosen = {_number(found, item) for item in ([wanted] if isinstance(wanted, str | int) else wanted)}
    return [stage.reason if number in chosen else "not selected" for number, stage in enumerate(found)]


def _number(found: Sequence[StageDescription], item: int | str) -> int:
    """The place of the stage that a number from 1, `stage2`, or the path of it or of one of its blocks stands for.

    Raises:
        CspError: none; the message lists what there is, and what was likely meant.
    """
    names = {path: number for number, stage in enumerate(found) for path in stage.source_names}
    names |= {f"stage{number + 1}": number for number in range(len(found))}
    names |= {stage.path: number for number, stage in enumerate(found)}
    if item in names:
        return names[str(item)]
    if str(item).isdecimal() and 1 <= int(item) <= len(found):
        return int(item) - 1
    near = get_close_matches(str(item), names, 2)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    listed = ", ".join(f"{number + 1} = {stage.path}" for number, stage in enumerate(found))
    raise CspError(f"there is no stage {item!r}; the stages are {listed}{meant}")


def _choose(found: Sequence[StageDescription], preset: Preset) -> tuple[list[str], list[str]]:
    """The preset of every stage, and those to fall back on if `paper` turns out not to fit ([]: none)."""
    for stage in found:
        if preset not in ("auto", *stage.presets):
            raise CspError(
                f"preset {preset} does not fit stage {stage.path} ({stage.family}); choose one of "
                f"{', '.join(('auto', *stage.presets))}"
            )
    if preset != "auto":
        return [preset] * len(found), []
    first = [stage.presets[0] for stage in found]
    return first, [next(name for name in stage.presets if name != "paper") for stage in found]
