"""One network, or one beside its twin: source -> trace -> plan -> analyses -> records. No torch at import."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cspanalyze import __version__
from cspanalyze.errors import TraceError
from cspanalyze.results import Comparison, Report, StageChange, Subject
from cspanalyze.sentences import conclusions
from cspanalyze.sources import Loaded, Request, in_one_sentence, load

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.analyses import By
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

    `gamma` is the share of a stage's channels that bypasses its blocks.
    """

    gamma: float = 0.5
    fusion: Literal["csp", "first", "last"] = "csp"
    preset: Literal["auto", "paper", "dropin", "densenet"] = "auto"
    inner: Literal["keep", "scale"] = "keep"
    stages: tuple[str, ...] | None = None
    init: Literal["reset", "slice"] = "reset"
    seed: int = 0


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
    return _report(traced(loaded_network(model, inputs, kwargs)), metrics, by, depth)


def compare(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp = Csp(),
    metrics: Sequence[str] = OVERVIEW,
    by: By = "stage",
    depth: int | None = None,
) -> Comparison:
    """Trace a network and its Cross Stage Partial twin, and compute the named metrics of both.

    Arguments as for `analyze`; `csp` says how the twin is made.

    Raises:
        CspanalyzeError: also where the network cannot be made partial as asked.
    """
    base = traced(loaded_network(model, inputs, kwargs))
    variant, made = twin_of(base, csp)
    base_report = _report(base, metrics, by, depth)
    csp_report = _report(variant, metrics, by, depth, variant="CSP")
    changes = tuple(replace(change, stage=_stage_name(change.stage, base.graph)) for change in made)
    comparison = Comparison(base_report, (csp_report,), changes)
    return replace(comparison, sentences=conclusions(comparison))


def twin_of(base: Traced, csp: Csp) -> tuple[Traced, tuple[StageChange, ...]]:
    """The Cross Stage Partial twin of a traced network, traced as it was, and what was done to each stage."""
    from cspanalyze.csp import to_csp

    twin = to_csp(
        base.loaded.model,
        gamma=csp.gamma,
        fusion=csp.fusion,
        preset=csp.preset,
        inner=csp.inner,
        stages=csp.stages,
        init=csp.init,
        seed=csp.seed,
    )
    changed = replace(base.loaded, model=twin.model, notes=twin.notes, guessed=False)
    return Traced(changed, _graph(changed, real=base.graph.method != "meta")), tuple(twin.changes)


def _stage_name(path: str, graph: ModelGraph) -> str:
    """The name under which the tables show the stage at a module path, and the path."""
    stage = graph.plan.stage_of(path) if graph.plan is not None else None
    return path if stage is None or stage.name == path else f"{stage.name} ({path})"


@dataclass(frozen=True, slots=True)
class Traced:
    """A network and its graph."""

    loaded: Loaded
    graph: ModelGraph


def loaded_network(model: Network, inputs: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Loaded:
    """The network that a MODEL argument names, or a module with its inputs."""
    if isinstance(model, str | Request):
        model = load(model)
    if isinstance(model, Loaded) and not inputs and not kwargs:
        return model
    from cspanalyze.sources.inputs import given

    return given(model, inputs, kwargs or {})


def traced(loaded: Loaded) -> Traced:
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


def _report(network: Traced, metrics: Sequence[str], by: By, depth: int | None, variant: str = "") -> Report:
    from cspanalyze.analyses import Grouping, run

    loaded, graph = network.loaded, network.graph
    grouping = Grouping.of(graph, by, depth)
    subject = Subject(
        name=loaded.name,
        source=loaded.source,
        inputs=loaded.inputs,
        mode=graph.mode,
        method=graph.method,
        variant=variant,
        notes=(*loaded.notes, *graph.notes),
        versions=versions(),
    )
    return Report(subject, grouping.names, run(graph, metrics, grouping))


def versions() -> tuple[tuple[str, str], ...]:
    """This package, torch, and the packages of networks that took part."""
    packages = [name for name in ("torch", "timm", "torchvision", "transformers") if name in sys.modules]
    return (("cspanalyze", __version__), *((name, str(sys.modules[name].__version__)) for name in packages))
