"""One network, or one beside its twin: source -> trace -> plan -> analyses -> records. No torch at import."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from cspanalyze import __version__
from cspanalyze.errors import TraceError
from cspanalyze.results import Comparison, Report, StageChange, Subject
from cspanalyze.sentences import CONTROL, conclusions
from cspanalyze.sources import Loaded, Request, in_one_sentence, load

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.analyses import By
    from cspanalyze.csp import CspTwin
    from cspanalyze.graph import ModelGraph

    Network = str | Request | Loaded | nn.Module

OVERVIEW = (
    "params",
    "macs",
    "flops",
    "elementwise_flops",
    "activations",
    "cio",
    "unfused_bytes",
    "fused_bytes",
    "peak_bytes",
)
"""The metrics that `analyze` and `compare` compute unless told otherwise."""


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


def analyze(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    metrics: Sequence[str] = OVERVIEW,
    by: By = "stage",
    depth: int | None = None,
) -> Report:
    """Trace one network and compute the named metrics of it.

    Args:
        model: a MODEL argument (`"resnet50"`, `"timm:NAME"`, `"net.py:Net"`), a request, or a module.
        inputs: positional inputs of a module; without any, 1x3x224x224 is tried. Tensors may be on the meta device.
        kwargs: its keyword inputs.
        metrics: names of analyses, see `cspanalyze.analyses.ANALYSES`.
        by: what makes a row: `stage`, `module`, `layer` or `op`.
        depth: how many names of a module path `by="module"` keeps.

    Raises:
        CspanalyzeError: the network cannot be built or traced, or an argument is off.
    """
    return _report(_traced(loaded_network(model, inputs, kwargs)), metrics, by, depth)


def compare(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp = Csp(),
    metrics: Sequence[str] = OVERVIEW,
    by: By = "stage",
    depth: int | None = None,
) -> Comparison:
    """Trace a network and its Cross Stage Partial twin, with its control if asked for, and compute the named metrics.

    Arguments as for `analyze`; `csp` says how the twin is made.

    Raises:
        CspanalyzeError: also where the network cannot be made partial as asked.
    """
    (base, *variants), changes = traced_with_twins(model, inputs, kwargs, csp)
    reports = tuple(_report(variant, metrics, by, depth) for variant in variants)
    comparison = Comparison(_report(base, metrics, by, depth), reports, changes)
    return replace(comparison, sentences=conclusions(comparison))


def traced_with_twins(
    model: Network, inputs: Sequence[Any], kwargs: Mapping[str, Any] | None, csp: Csp | None
) -> tuple[list[Traced], tuple[StageChange, ...]]:
    """The network and, unless `csp` is None, its variants; and what was done to its stages.

    Raises:
        CspanalyzeError: as `compare`.
    """
    base = _traced(loaded_network(model, inputs, kwargs))
    if csp is None:
        return [base], ()
    twins = twins_of(base.loaded.model, csp)
    variants = [_variant(base, name, twin) for name, twin in twins.items()]
    made = next(iter(twins.values())).changes
    changes = tuple(replace(change, stage=_stage_name(change.stage, base.graph)) for change in made)
    return [base, *variants], changes


def twins_of(model: nn.Module, csp: Csp) -> dict[str, CspTwin]:
    """The twin of a network and, if asked for, the control of that twin, by what they are called.

    Raises:
        CspanalyzeError: the network cannot be made partial as asked.
    """
    from cspanalyze.csp import to_csp

    chosen = {field.name: getattr(csp, field.name) for field in fields(csp) if field.name != "control"}
    twin = to_csp(model, **chosen)
    if not csp.control:
        return {"CSP": twin}
    presets = {change.preset for change in twin.changes}  # auto must not decide anew
    preset = presets.pop() if len(presets) == 1 else csp.preset
    return {"CSP": twin, CONTROL: to_csp(model, **{**chosen, "preset": preset}, control=True)}


def _variant(base: Traced, name: str, twin: CspTwin) -> Traced:
    changed = replace(base.loaded, model=twin.model, notes=twin.notes, guessed=False)
    return Traced(changed, _graph(changed, real=base.graph.method != "meta"), name)


def _stage_name(path: str, graph: ModelGraph) -> str:
    """The name under which the tables show the stage at a module path, and the path."""
    stage = graph.plan.stage_of(path) if graph.plan is not None else None
    return path if stage is None or stage.name == path else f"{stage.name} ({path})"


@dataclass(frozen=True, slots=True)
class Traced:
    """A network and its graph; `variant` is "" for the network that was asked for."""

    loaded: Loaded
    graph: ModelGraph
    variant: str = ""


def loaded_network(model: Network, inputs: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Loaded:
    """The network and its input, without memory for either where that is possible."""
    if isinstance(model, str | Request):
        model = load(model)
    if isinstance(model, Loaded) and not inputs and not kwargs:
        return model
    from cspanalyze.sources.inputs import given

    return given(model, inputs, kwargs or {})


def _traced(loaded: Loaded) -> Traced:
    """Trace on the meta device; where the control flow needs data, once more with real weights and inputs."""
    try:
        return Traced(loaded, _graph(loaded))
    except TraceError as error:
        real = loaded.with_data() if _needs_data(error) else None
        if real is None:
            raise _explained(error, loaded) from error
    try:
        return Traced(real, _graph(real, real=True))
    except TraceError as error:
        raise _explained(error, loaded) from error


def _graph(loaded: Loaded, *, real: bool = False) -> ModelGraph:
    from cspanalyze.plans import read_plan
    from cspanalyze.tracing import trace

    graph = trace(loaded.model, *loaded.args, kwargs=loaded.kwargs, name=loaded.name, real=real)
    return replace(graph, plan=read_plan(loaded.model))


def _needs_data(error: TraceError) -> bool:
    """Whether the forward pass failed because a meta tensor has no numbers (`.item()`, `if tensor:`, `nonzero`)."""
    return "meta" in str(error.__cause__).lower()


def _explained(error: TraceError, loaded: Loaded) -> TraceError:
    tried = ", ".join(loaded.inputs) or "no input"
    said = in_one_sentence(str(error))
    if loaded.guessed:
        return TraceError(f"{said}; without --input, {tried} was tried: say with --input what {loaded.name} takes")
    return TraceError(f"{said}; the input was {tried}: is it what {loaded.name} takes?")


def _report(traced: Traced, metrics: Sequence[str], by: By, depth: int | None) -> Report:
    from cspanalyze.analyses import Grouping, run

    grouping = Grouping.of(traced.graph, by, depth)
    return Report(subject_of(traced), grouping.names, run(traced.graph, metrics, grouping))


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
