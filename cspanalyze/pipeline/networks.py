"""Networks, loaded and traced, alone or with their Cross Stage Partial twins. No torch at import."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from cspanalyze import __version__
from cspanalyze.errors import TraceError
from cspanalyze.pipeline.layouts import in_layout
from cspanalyze.results import CONTROL, StageChange, Subject
from cspanalyze.room import refuse_without_room
from cspanalyze.sources import EXPORTED, Loaded, Request, in_one_sentence, load
from cspanalyze.steps import step

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.csp import CspTwin
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline.layouts import Layout

    Network = str | Request | Loaded | nn.Module


@dataclass(frozen=True, slots=True)
class Csp:
    """How to make a network Cross Stage Partial; see `cspanalyze.csp.to_csp` for what each field means.

    `gamma` is the share of a stage's channels that bypasses its blocks. With `control` a comparison has a third
    network: the twin's transitions without its split.
    """

    gamma: float = 0.5
    fusion: Literal["csp", "first", "last"] = "csp"
    preset: Literal["auto", "paper", "dropin", "densenet"] = "auto"
    inner: Literal["keep", "scale"] = "keep"
    stages: tuple[str, ...] | None = None
    init: Literal["reset", "slice"] = "reset"
    seed: int = 0
    control: bool = False


HALF = Csp()
"""As the paper makes its networks: half of the channels bypass."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A network and its graph; `variant` is "" for the network that was asked for."""

    loaded: Loaded
    graph: ModelGraph
    variant: str = ""


def loaded_of(
    model: Network, inputs: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, layout: Layout = "nchw"
) -> Loaded:
    """The network that an argument of `analyze` stands for and its input, without memory where that is possible."""
    if isinstance(model, str | Request):
        with step(f"building {model if isinstance(model, str) else model.model}"):
            model = in_layout(load(model), layout)
    if isinstance(model, Loaded) and not inputs and not kwargs:
        return model
    from cspanalyze.sources.inputs import given

    return given(model, inputs, kwargs or {})


def traced_of(loaded: Loaded, train: bool = False) -> Traced:
    """Trace on the meta device; where the control flow needs data, once more with real weights and inputs."""
    try:
        return _as_exported(Traced(loaded, _graph(loaded, train)), train)
    except TraceError as error:
        if not _needs_data(error):
            raise _explained(error, loaded) from error
        refuse_without_room(f"the control flow of {loaded.name} depends on data, and running it", error.live_bytes)
        real = loaded.with_data()
        if real is None:
            raise _explained(error, loaded) from error
    try:
        return _as_exported(Traced(real, _graph(real, train, real=True)), train)
    except TraceError as error:
        raise _explained(error, loaded) from error


def _as_exported(traced: Traced, train: bool) -> Traced:
    """The same; of a training step of an exported graph, which has one mode for ever, with a note on that mode."""
    if not train or traced.loaded.source != EXPORTED:
        return traced
    norms = [op for op in traced.graph.ops if op.name == "native_batch_norm" and op.phase == "forward"]
    if any(op.args[5] is True for op in norms):
        return traced
    held = "the mode that it was exported in"
    if norms:
        held = "evaluation mode, in which norms use running statistics and dropout is gone"
        traced = replace(traced, graph=replace(traced.graph, mode="eval"))
    told = f"the file holds the graph of {held}: --train adds a backward pass to that graph"
    return replace(traced, loaded=replace(traced.loaded, notes=(*traced.loaded.notes, told)))


def twins_of(
    model: nn.Module, csp: Csp, inputs: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> dict[str, CspTwin]:
    """The twin of a network and, if asked for, the control of that twin, by what they are called.

    The inputs are what the network takes; where its stages have to be found by a trace, it is on them.

    Raises:
        CspanalyzeError: the network cannot be made partial as asked.
    """
    from cspanalyze.csp import to_csp

    chosen = {field.name: getattr(csp, field.name) for field in fields(csp) if field.name != "control"}
    twin = to_csp(model, *inputs, kwargs=kwargs, **chosen)
    if not csp.control:
        return {"CSP": twin}
    presets = {change.preset for change in twin.changes}  # auto must not decide anew
    chosen["preset"] = presets.pop() if len(presets) == 1 else csp.preset
    return {"CSP": twin, CONTROL: to_csp(model, *inputs, kwargs=kwargs, **chosen, control=True)}


def traced_twins(
    base: Traced, csp: Csp, train: bool = False, layout: Layout = "nchw"
) -> tuple[list[Traced], tuple[StageChange, ...]]:
    """The twins of a traced network, traced as it was, and what was done to each stage.

    Raises:
        CspanalyzeError: the network cannot be made partial as asked.
    """
    with step(f"making the twin of {base.loaded.name}"):
        twins = twins_of(base.loaded.model, csp, base.loaded.args, base.loaded.kwargs)
    traced = []
    for name, twin in twins.items():
        loaded = in_layout(replace(base.loaded, model=twin.model, notes=twin.notes, guessed=False), layout)
        graph = _in_the_stages_of(base.graph, _graph(loaded, train, real=base.graph.method != "meta"))
        traced.append(Traced(loaded, graph, name))
    made = next(iter(twins.values())).changes
    return traced, tuple(replace(change, stage=_stage_name(change.stage, base.graph)) for change in made)


def traced_with_twins(
    model: Network, inputs: Sequence[Any], kwargs: Mapping[str, Any] | None, csp: Csp | None
) -> tuple[list[Traced], tuple[StageChange, ...]]:
    """The network and, unless `csp` is None, its twins; and what was done to its stages.

    Raises:
        CspanalyzeError: as `compare`.
    """
    base = traced_of(loaded_of(model, inputs, kwargs))
    if csp is None:
        return [base], ()
    twins, changes = traced_twins(base, csp)
    return [base, *twins], changes


def rows_of(base: Traced, changes: Sequence[StageChange]) -> dict[str, str]:
    """The rows by stage of a network and its twins, for `Grouping.of`: what became one stage is one row."""
    from cspanalyze.analyses.grouping import stage_rows

    return stage_rows(base.graph, {path: change.stage for change in changes for path in change.modules})


def subject_of(traced: Traced) -> Subject:
    """What was traced, for the head of a report."""
    loaded, graph = traced.loaded, traced.graph
    return Subject(
        name=loaded.name,
        source=loaded.source,
        inputs=loaded.inputs,
        mode=graph.mode,
        method=graph.method,
        variant=traced.variant,
        notes=(*loaded.notes, *graph.notes),
        versions=versions(),
    )


def versions() -> tuple[tuple[str, str], ...]:
    """This package, torch, and the packages of networks that took part."""
    packages = [name for name in ("torch", "timm", "torchvision", "transformers") if name in sys.modules]
    return (("cspanalyze", __version__), *((name, str(sys.modules[name].__version__)) for name in packages))


def _stage_name(path: str, graph: ModelGraph) -> str:
    """The name under which the tables show the stage at a module path, and the path."""
    stage = graph.plan.stage_of(path) if graph.plan is not None else None
    return path if stage is None or stage.name == path else f"{stage.name} ({path})"


def _graph(loaded: Loaded, train: bool = False, *, real: bool = False) -> ModelGraph:
    from cspanalyze.plans import read_plan
    from cspanalyze.tracing import trace

    with step(f"tracing {loaded.name}{' on real data' if real else ''}, from {loaded.source}"):
        graph = trace(
            loaded.model,
            *loaded.args,
            kwargs=loaded.kwargs,
            name=loaded.name,
            mode="train" if train else "eval",
            backward=train,
            real=real,
        )
    return replace(graph, plan=read_plan(loaded.model))


def _in_the_stages_of(base: ModelGraph, graph: ModelGraph) -> ModelGraph:
    """The graph of a twin; where its architecture is not recognised, with the stages of the base and unknown parts."""
    if base.plan is None:
        return graph
    names = [stage.name for stage in base.plan.stages]
    if graph.plan is not None and [stage.name for stage in graph.plan.stages] == names:
        return graph
    stages = tuple(replace(stage, parts=None) for stage in base.plan.stages)
    return replace(graph, plan=replace(base.plan, stages=stages))


def _needs_data(error: TraceError) -> bool:
    """Whether the forward pass failed because a meta tensor has no numbers (`.item()`, `if tensor:`, `nonzero`)."""
    return "meta" in str(error.__cause__).lower()


def _explained(error: TraceError, loaded: Loaded) -> TraceError:
    tried = ", ".join(loaded.inputs) or "no input"
    said = in_one_sentence(str(error))
    if _lacks_kernel(error):
        operator = re.search(r"\w+::\w+", said)
        where = said.partition(": ")[0]
        return TraceError(
            f"{where}: {operator[0] if operator else 'an operator'} runs on numbers only: name the network as it was "
            "before it was quantised or converted"
        )
    elsewhere = _cause_elsewhere(error)
    if elsewhere is not None:
        return TraceError(f"{said}{elsewhere}")
    if loaded.guessed:
        return TraceError(f"{said}; without --input, {tried} was tried: say with --input what {loaded.name} takes")
    flat = [text for text in loaded.inputs if text.count("x") == 2]
    if "3D" in said and flat:
        return TraceError(f"{said}; the input was {tried}: a batch dimension is missing, say 1x{flat[0]}")
    return TraceError(f"{said}; the input was {tried}: is it what {loaded.name} takes?")


def _lacks_kernel(error: TraceError) -> bool:
    """Whether an operator has no rule for the shape of its result (`fake impl`, a meta kernel)."""
    return isinstance(error.__cause__, NotImplementedError) and "fake impl" in str(error)


def _cause_elsewhere(error: TraceError) -> str | None:
    """What to do where another input would not help, "" where nothing is known; None if the input may be at fault."""
    said, cause = str(error), error.__cause__
    if "torch.jit" in said:
        return ""  # says what to do itself
    if "not compiled with CUDA" in said or "NVIDIA driver" in said or "CUDA-capable device" in said:
        return "; the forward itself asks for a CUDA device: let it use the device of its input instead"
    if "targets" in said and isinstance(cause, AssertionError):
        return "; in train mode a detector takes targets too: wrap it in a module that makes them"
    return "" if isinstance(cause, AttributeError | NameError | ImportError | UnboundLocalError) else None
