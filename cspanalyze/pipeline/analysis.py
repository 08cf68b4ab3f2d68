"""One network, or one beside its twin: source -> trace -> plan -> analyses -> records. No torch at import."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from cspanalyze import __version__
from cspanalyze.errors import TraceError
from cspanalyze.pipeline.layouts import in_layout
from cspanalyze.pipeline.traffic import with_traffic
from cspanalyze.results import Comparison, Report, Subject
from cspanalyze.sentences import CONTROL, conclusions
from cspanalyze.sources import Loaded, Request, in_one_sentence, load

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.analyses import By
    from cspanalyze.csp import CspTwin
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline.traffic import Traffic

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
TRAINING = (
    "params",
    "macs",
    "backward_macs",
    "elementwise_flops",
    "backward_elementwise_flops",
    "saved_bytes",
    "gradient_bytes",
    "training_peak_bytes",
)
"""What one training step costs; for `train=True`."""


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
    train: bool = False,
    traffic: Traffic | None = None,
) -> Report:
    """Trace one network and compute the named metrics of it.

    Args:
        model: a MODEL argument (`"resnet50"`, `"timm:NAME"`, `"net.py:Net"`), a request, or a module.
        inputs: positional inputs of a module; without any, 1x3x224x224 is tried. Tensors may be on the meta device.
        kwargs: its keyword inputs.
        metrics: names of analyses, see `cspanalyze.analyses.ANALYSES`.
        by: what makes a row: `stage`, `module`, `layer` or `op`.
        depth: how many names of a module path `by="module"` keeps.
        train: trace a training step, in train mode: forward, and backward from the sum of the outputs to the
            parameters. The metrics of `TRAINING` need it.
        traffic: model the traffic between memory and chip as well, as told; a network that a source builds is brought
            into the layout asked for, a module is taken as it is.

    Raises:
        CspanalyzeError: the network cannot be built or traced, or an argument is off.
    """
    return report_of(traced_of(loaded_of(model, inputs, kwargs, traffic), train), metrics, by, depth, traffic=traffic)


def compare(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp = Csp(),
    metrics: Sequence[str] = OVERVIEW,
    by: By = "stage",
    depth: int | None = None,
    train: bool = False,
    traffic: Traffic | None = None,
) -> Comparison:
    """Trace a network and its Cross Stage Partial twin, with its control if asked for, and compute the named metrics.

    Arguments as for `analyze`; `csp` says how the twin is made.

    Raises:
        CspanalyzeError: also where the network cannot be made partial as asked.
    """
    asked = _Asked(tuple(metrics), by, depth, train, traffic)
    base = traced_of(loaded_of(model, inputs, kwargs, traffic), train)
    twin = twin_of(base.loaded.model, csp)
    variants = [_variant(base, twin, asked, "CSP")]
    if csp.control:
        presets = {change.preset for change in twin.changes}  # auto must not decide anew
        same = replace(csp, preset=presets.pop()) if len(presets) == 1 else csp  # type: ignore[arg-type]
        variants.append(_variant(base, twin_of(base.loaded.model, same, control=True), asked, CONTROL))
    changes = tuple(replace(change, stage=_stage_name(change.stage, base.graph)) for change in twin.changes)
    comparison = Comparison(report_of(base, metrics, by, depth, traffic=traffic), tuple(variants), changes)
    return replace(comparison, sentences=conclusions(comparison))


def twin_of(model: nn.Module, csp: Csp, *, control: bool = False) -> CspTwin:
    """The Cross Stage Partial twin of a network, or its control, made on a copy."""
    from cspanalyze.csp import to_csp

    chosen = {field.name: getattr(csp, field.name) for field in fields(csp) if field.name != "control"}
    return to_csp(model, **chosen, control=control)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a comparison shows of each of its networks."""

    metrics: tuple[str, ...]
    by: By
    depth: int | None
    train: bool
    traffic: Traffic | None


def _variant(base: Traced, twin: CspTwin, asked: _Asked, name: str) -> Report:
    changed = replace(base.loaded, model=twin.model, notes=twin.notes, guessed=False)
    if asked.traffic is not None:
        changed = in_layout(changed, asked.traffic.layout)
    traced = Traced(changed, _graph(changed, asked.train, real=base.graph.method != "meta"))
    return report_of(traced, asked.metrics, asked.by, asked.depth, variant=name, traffic=asked.traffic)


def _stage_name(path: str, graph: ModelGraph) -> str:
    """The name under which the tables show the stage at a module path, and the path."""
    stage = graph.plan.stage_of(path) if graph.plan is not None else None
    return path if stage is None or stage.name == path else f"{stage.name} ({path})"


@dataclass(frozen=True, slots=True)
class Traced:
    """A network and its graph."""

    loaded: Loaded
    graph: ModelGraph


def loaded_of(
    model: Network, inputs: Sequence[Any], kwargs: Mapping[str, Any] | None, traffic: Traffic | None = None
) -> Loaded:
    """The network that an argument of `analyze` stands for, with its input."""
    if isinstance(model, str | Request):
        model = load(model) if traffic is None else in_layout(load(model), traffic.layout)
    if isinstance(model, Loaded) and not inputs and not kwargs:
        return model
    from cspanalyze.sources.inputs import given

    return given(model, inputs, kwargs or {})


def traced_of(loaded: Loaded, train: bool = False) -> Traced:
    """Trace on the meta device; where the control flow needs data, once more with real weights and inputs."""
    try:
        return Traced(loaded, _graph(loaded, train))
    except TraceError as error:
        real = loaded.with_data() if _needs_data(error) else None
        if real is None:
            raise _explained(error, loaded) from error
    try:
        return Traced(real, _graph(real, train, real=True))
    except TraceError as error:
        raise _explained(error, loaded) from error


def _graph(loaded: Loaded, train: bool = False, *, real: bool = False) -> ModelGraph:
    from cspanalyze.plans import read_plan
    from cspanalyze.tracing import trace

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


def _needs_data(error: TraceError) -> bool:
    """Whether the forward pass failed because a meta tensor has no numbers (`.item()`, `if tensor:`, `nonzero`)."""
    return "meta" in str(error.__cause__).lower()


def _explained(error: TraceError, loaded: Loaded) -> TraceError:
    tried = ", ".join(loaded.inputs) or "no input"
    said = in_one_sentence(str(error))
    if loaded.guessed:
        return TraceError(f"{said}; without --input, {tried} was tried: say with --input what {loaded.name} takes")
    return TraceError(f"{said}; the input was {tried}: is it what {loaded.name} takes?")


def report_of(
    traced: Traced,
    metrics: Sequence[str],
    by: By,
    depth: int | None,
    variant: str = "",
    traffic: Traffic | None = None,
) -> Report:
    from cspanalyze.analyses import Grouping, run

    loaded, graph = traced.loaded, traced.graph
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
    report = Report(subject, grouping.names, run(graph, metrics, grouping))
    return report if traffic is None else with_traffic(report, graph, grouping, traffic, number=1 if variant else 0)


def versions() -> tuple[tuple[str, str], ...]:
    """This package, torch, and the packages of networks that took part."""
    packages = [name for name in ("torch", "timm", "torchvision", "transformers") if name in sys.modules]
    return (("cspanalyze", __version__), *((name, str(sys.modules[name].__version__)) for name in packages))
