"""Builds the twin of a network, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from cspanalyze.csp.assembling import PresetMisfit, Request, assemble, narrow_entry
from cspanalyze.csp.chains import inside
from cspanalyze.csp.copying import Memo, copy_module
from cspanalyze.csp.description import StageDescription
from cspanalyze.csp.initialising import Init, initialise, reset, seeded
from cspanalyze.csp.narrowing import NarrowingError
from cspanalyze.csp.rehearsal import Readers, refusal, rehearse
from cspanalyze.csp.resizing import NORMS, Cut, narrow_copy
from cspanalyze.csp.shadow import run, shadow
from cspanalyze.csp.split import Indivisible
from cspanalyze.csp.stage import CSPStage
from cspanalyze.csp.tying import tie
from cspanalyze.errors import CspError
from cspanalyze.results import StageChange, StageChanges
from cspanalyze.showing import Shown


@dataclass(frozen=True, slots=True, repr=False)
class CspTwin(Shown):
    """A network made partial. `changes` has a record for every stage found; skipped ones say why.

    `notes` are sentences about what `auto` had to decide.
    """

    model: nn.Module
    changes: tuple[StageChange, ...]
    notes: tuple[str, ...] = ()

    def shown(self) -> StageChanges:
        """What was done, without the network."""
        return StageChanges(self.changes, self.notes)


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


class Conversion:
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
        self._model, self._found, self._skipped = model, found, list(skipped)
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
            self._parted = {id(each) for each in tie([(self._model, model), *self._narrowed()])}
        return CspTwin(model, tuple(self._change(number, preset) for number, preset in enumerate(presets)))

    def _convert(self, number: int, preset: str) -> None:
        """Build the CSPStage of a stage."""
        stage = self._found[number]
        before = self._before(number)
        try:
            made, self._widths[number] = assemble(stage, preset, self._request, before, first=number == 0)
        except CspError as error:
            if stage.family != "chain" and not isinstance(error, Indivisible):
                raise
            self._skipped[number] = _told(stage, error)
            self._keep(number)
            return
        if stage.family != "chain":  # those are narrowed and traced block by block
            _prove(stage, made, before, self._widths[number])
        if self._init == "reset":
            initialise(made)
        self._made[number] = self._memo[id(stage.module)] = made
        for module in stage.replaced:
            self._memo[id(module)] = nn.Identity().train(module.training)
        if stage.dense is not None and stage.dense.transition is not None:
            self._memo[id(stage.dense.transition.module)] = nn.Identity().train(stage.module.training)

    def _narrowed(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        """Every block of a stage that was made partial, with its narrower copy."""
        for number, made in self._made.items():
            stage, blocks = self._found[number], list(made.part2.children())
            bodies = [stage.module] if stage.dense is not None else [block.module for block in stage.body]
            yield from zip(bodies, blocks[len(blocks) - len(bodies) :], strict=True)
            if stage.entry is not None and type(stage.entry.module) is type(made.down):
                yield stage.entry.module, made.down

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
            gamma=0.0 if self._request.control else self._request.gamma,
            gamma_effective=made.gamma_effective if made else None,
            channels=stage.channels,
            bypass_channels=made.c1 if made else None,
            block_channels=made.c2 if made else None,
            skipped=self._skipped[number],
            modules=stage.source_names,
            remark="" if made is None else self._remark(stage),
        )

    def _remark(self, stage: StageDescription) -> str:
        """What the user of a partial stage should know about its weights."""
        said = []
        frozen = [each for each in stage.body[0].module.parameters() if not each.requires_grad]
        if frozen:
            anew = "all that is drawn anew" if self._init == "reset" else "the transitions, which are new,"
            said.append(f"was frozen: {anew} can be trained")
        names = self._model.named_parameters(remove_duplicate=False) if self._parted else ()
        shared = [name for name, each in names if id(each) in self._parted]
        if any(inside(name, path) for name in shared for path in stage.source_names):
            said.append(f"no longer shared, as widths differ: {', '.join(shared)}")
        return "; ".join(said)


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
        raise NarrowingError(
            f"stage {stage.path or '(root)'}: a {kind} block cannot be narrowed to {made.c2} channels ({problem}); "
            f"register_csp_adapter({kind}, fn) can teach how"
        )


def _told(stage: StageDescription, error: CspError) -> str:
    """Why a stage stays as it is although it was to be made partial."""
    if isinstance(error, NarrowingError):
        kind = type(stage.body[0].module).__name__
        return (
            f"stage {stage.path}: a {kind} block cannot be narrowed ({error}); register_csp_adapter({kind}, fn) can "
            "teach how"
        )
    return f"stage {stage.path}: {error}"
