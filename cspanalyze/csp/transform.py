"""From a network to its Cross Stage Partial twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from torch import nn

from cspanalyze.csp.assembling import Fusion, Inner, PresetMisfit, Request, assemble, narrow_entry
from cspanalyze.csp.copying import Memo, copy_module
from cspanalyze.csp.description import StageDescription
from cspanalyze.csp.finding import find_stages
from cspanalyze.csp.initialising import Init, initialise, reset, seeded
from cspanalyze.csp.rehearsal import Readers, refusal, rehearse
from cspanalyze.csp.resizing import NORMS, Cut, narrow_copy
from cspanalyze.csp.shadow import run, shadow
from cspanalyze.csp.split import check_gamma
from cspanalyze.csp.stage import CSPStage
from cspanalyze.darknet.network import DarknetNet
from cspanalyze.errors import CspError
from cspanalyze.results import StageChange

Preset = Literal["auto", "paper", "dropin", "densenet"]


@dataclass(frozen=True, slots=True)
class CspTwin:
    """A network made partial. `changes` has a record for every stage found; skipped ones say why.

    `notes` are sentences about what `auto` had to decide.
    """

    model: nn.Module
    changes: tuple[StageChange, ...]
    notes: tuple[str, ...] = ()


def to_csp(
    model: nn.Module,
    *,
    gamma: float = 0.5,
    fusion: Fusion = "csp",
    preset: Preset = "auto",
    inner: Inner = "keep",
    stages: Sequence[int | str] | None = None,
    init: Init = "reset",
    seed: int = 0,
) -> CspTwin:
    """Make the stages of `model` cross stage partial (arXiv 1911.11929, section 3), in a deep copy of it.

    Args:
        model: a ResNet, ResNeXt, SE-ResNet, Darknet or DenseNet, recognised by structure. It is left as it is: weights,
            hooks, flags. On the meta device the twin is there too. Hooks on the stages themselves do not go along.
        gamma: share of a stage's channels that bypasses its blocks, 0 < gamma < 1; rounded as `split_channels` says.
            Some ports of the paper call the other share gamma.
        fusion: "csp" (transition of part 2, concatenation, transition), "first" (concatenation, transition) or "last"
            (transition of part 2, concatenation).
        preset: "paper" (two 1x1 convolutions make the parts, as in the authors' CSPResNet-50, CSPResNeXt-50 and
            CSPDarknet-53), "dropin" (the output of the stage's first block is sliced; shapes between the stages stay),
            "densenet" (dense layers on part of the base channels), or "auto": the first of these that fits.
        inner: whether the blocks' inner widths stay ("keep", the authors' choice) or shrink by gamma too ("scale").
        stages: which to change, by number from 1 (2 or "stage2") or by module path; None for all.
        init: "reset" draws every new module anew, and so each stage but for an entry that stays. "slice" keeps the
            weights of the last channels in the narrowed blocks; modules without counterpart are drawn anew.
        seed: of those draws. The random state outside is not touched.

    `paper` makes a stage's output narrower and rebuilds what reads it: refused where a forward pass shows another
    reader than one next stage or one classifier layer (`rehearse` says what that cannot see).

    Raises:
        CspError: an argument is off, no stage is found or left, or the preset does not fit the network.
    """
    _check_words(fusion=fusion, preset=preset, inner=inner, init=init)
    check_gamma(gamma)
    if isinstance(model, DarknetNet):
        raise CspError(
            "a network of Darknet layers is a list without blocks that could be made partial: take a built-in network "
            "like resnet50, or one that is partial already (cspanalyze models csp)"
        )
    found = find_stages(model)
    skipped = _skipped(found, stages)
    if all(skipped):
        raise CspError("no stage can be made partial: " + "; ".join(dict.fromkeys(skipped)))
    first, second = _choose(found, preset)
    work = _Work(model, found, skipped, Request(gamma, fusion, inner), init, seed)
    try:
        return work.twin(first)
    except PresetMisfit as misfit:
        if not second:
            raise CspError(f"{misfit}; choose dropin") from misfit
        return replace(work.twin(second), notes=(str(misfit),))


def _check_words(**given: str) -> None:
    known = {"fusion": get_args(Fusion), "preset": get_args(Preset), "inner": get_args(Inner), "init": get_args(Init)}
    for name, value in given.items():
        if value not in known[name]:
            raise CspError(f"unknown {name} {value!r}; choose one of {', '.join(known[name])}")


def _skipped(found: Sequence[StageDescription], wanted: Sequence[int | str] | None) -> list[str]:
    """For every stage why it is skipped, "" if it is not."""
    if wanted is None:
        return [stage.reason for stage in found]
    numbers = {f"stage{number + 1}": number for number in range(len(found))}
    numbers |= {stage.path: number for number, stage in enumerate(found)}
    chosen = set()
    for item in [wanted] if isinstance(wanted, str | int) else wanted:
        if item in numbers:
            chosen.add(numbers[str(item)])
        elif str(item).isdecimal() and 1 <= int(item) <= len(found):
            chosen.add(int(item) - 1)
        else:
            listed = ", ".join(f"{number + 1} = {stage.path}" for number, stage in enumerate(found))
            raise CspError(f"there is no stage {item!r}; the stages are {listed}")
    return [stage.reason if number in chosen else "not selected" for number, stage in enumerate(found)]


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


def _readers(
    model: nn.Module, found: Sequence[StageDescription], skipped: Sequence[str], presets: Sequence[str]
) -> tuple[Readers, ...]:
    """Who reads the stages' outputs; looked into only where `paper` makes them narrower.

    Raises:
        PresetMisfit: a stage that is to be narrower has readers that cannot follow, or they cannot be found out.
    """
    if "paper" not in presets:
        return tuple(Readers() for _ in found)
    try:
        readers = rehearse(model, found)
    except Exception as error:  # whatever a foreign forward raises
        raise PresetMisfit(
            f"the readers of its stages could not be found out ({str(error) or type(error).__name__})"
        ) from error
    for number, stage in enumerate(found):
        partial = not skipped[number] and presets[number] == "paper"
        if partial and (reason := refusal(stage, number, readers[number])):
            raise PresetMisfit(reason)
    return readers


class _Work:
    """Fills `memo`, what stands for which module in the copy, stage by stage; the model itself is only read."""

    def __init__(
        self,
        model: nn.Module,
        found: Sequence[StageDescription],
        skipped: Sequence[str],
        request: Request,
        init: Init,
        seed: int,
    ) -> None:
        self._model, self._found, self._skipped = model, found, skipped
        self._request, self._init, self._seed = request, init, seed

    def twin(self, presets: Sequence[str]) -> CspTwin:
        """A copy of the model with the stages in it that are not skipped made partial by their presets."""
        self._memo: Memo = {}
        self._made: dict[int, CSPStage] = {}
        self._widths = [stage.channels for stage in self._found]
        self._readers = _readers(self._model, self._found, self._skipped, presets)
        with seeded(self._model, self._seed):
            for number, (preset, reason) in enumerate(zip(presets, self._skipped, strict=True)):
                if reason:
                    self._keep(number)
                else:
                    self._convert(number, preset)
            self._follow()
            model = copy_module(self._model, self._memo)
        return CspTwin(model, tuple(self._change(number, preset) for number, preset in enumerate(presets)))

    def _convert(self, number: int, preset: str) -> None:
        """Build the CSPStage of a stage."""
        stage = self._found[number]
        before = self._before(number)
        made, self._widths[number] = assemble(stage, preset, self._request, before, first=number == 0)
        _prove(stage, made, before, self._widths[number])
        if self._init == "reset":
            initialise(made)
        self._made[number] = self._memo[id(stage.module)] = made
        if stage.dense is not None and stage.dense.transition is not None:
            self._memo[id(stage.dense.transition.module)] = nn.Identity().train(stage.module.training)

    def _keep(self, number: int) -> None:
        """Leave a stage as it is, except that its entry follows a narrower stage before it."""
        stage = self._found[number]
        before = self._before(number)
        if before != stage.before:
            if stage.entry is None:
                raise PresetMisfit(f"stage {stage.path} has no entry that could read {before} channels")
            self._replace(stage.entry.module, narrow_entry(stage.entry, stage.before, before))

    def _follow(self) -> None:
        """Let the layers outside the stages that read a narrower stage follow it."""
        for stage, read, width in zip(self._found, self._readers, self._widths, strict=True):
            cut = Cut(stage.channels, width)
            for layer in read.layers.values() if width != stage.channels else ():
                pair = (None, cut) if isinstance(layer, NORMS) else (cut, None)
                self._replace(layer, narrow_copy(layer, {"": pair}))

    def _replace(self, module: nn.Module, narrower: nn.Module) -> None:
        if self._init == "reset":
            reset(narrower)
        self._memo[id(module)] = narrower

    def _before(self, number: int) -> int:
        """The width that enters a stage, from the stage that it reads if it reads one."""
        sources = (source for source, read in enumerate(self._readers[:number]) if number in read.stages)
        source = next(sources, None)
        return self._found[number].before if source is None else self._widths[source]

    def _change(self, number: int, preset: str) -> StageChange:
        stage, made = self._found[number], self._made.get(number)
        return StageChange(
            stage=stage.path,
            preset=preset,
            fusion=self._request.fusion,
            gamma=self._request.gamma,
            gamma_effective=made.gamma_effective if made else None,
            channels=stage.channels,
            bypass_channels=made.c1 if made else None,
            block_channels=made.c2 if made else None,
            skipped=self._skipped[number],
        )


def _prove(stage: StageDescription, made: CSPStage, before: int, out: int) -> None:
    """Run the new stage's shadow, of several equal blocks only the first.

    Raises:
        CspError: it does not run, or makes another shape than it should.
    """
    rest = list(made.part2.children())[1:]
    try:
        width = int(run(shadow(made, {id(block): nn.Identity() for block in rest}), before).shape[1])
        problem = f"it makes {width} channels" if width != out else ""
    except Exception as error:  # whatever a foreign forward raises
        problem = str(error).strip().partition("\n")[0]
    if problem:
        kind = type(stage.body[0].module).__name__
        raise CspError(
            f"stage {stage.path}: a {kind} block cannot be narrowed to {made.c2} channels ({problem}); "
            f"register_csp_adapter({kind}, fn) can teach how"
        )
