"""Gradient duplication of a network, or of it beside its twins: trace -> flow -> figures. No torch at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import (
    GradientFlow,
    GradientRecord,
    GradientRecords,
    NetworkRecord,
    gradient_flow,
    gradient_record,
    gradient_results,
    scopes,
    transition_letters,
    units_matching,
    weight_updates,
)
from cspanalyze.gradient_flow.conclusions import flow_notes, gradient_conclusions
from cspanalyze.gradient_flow.equations import StageEquations, StageUpdates
from cspanalyze.gradient_flow.per_layer import layer_groups, layer_results
from cspanalyze.pipeline.networks import Csp, Traced, rows_of, subject_of, traced_with_twins
from cspanalyze.results import Comparison, Record, Report, StageChange
from cspanalyze.showing import Shown

if TYPE_CHECKING:
    from cspanalyze.analyses import By, Grouping
    from cspanalyze.pipeline.networks import Network


@dataclass(frozen=True)
class NetworkFlow:
    """A traced network, which layers of it read which channels of which others, and how layers fall into rows."""

    traced: Traced
    flow: GradientFlow
    grouping: Grouping

    @property
    def name(self) -> str:
        """What it is called beside the others."""
        return self.traced.variant or "base"

    def report(self) -> Report:
        """The figures of every row and of the whole network."""
        results = layer_results(self.flow) if self.by_layer else gradient_results(self.flow, self.grouping)
        groups = layer_groups(self.flow) if self.by_layer else tuple(scopes(self.flow, self.grouping))
        subject = subject_of(self.traced)
        subject = replace(subject, notes=(*subject.notes, *flow_notes(self.flow)))
        return Report(subject, groups, results)

    def record(self) -> GradientRecord:
        """Every layer, edge, path length and source, for pictures."""
        return gradient_record(self.flow, scopes(self.flow, self.grouping))

    @property
    def by_layer(self) -> bool:
        """Whether every layer has a row."""
        return self.grouping.by == "layer"


@dataclass(frozen=True, repr=False)
class GradientStudy(Shown):
    """A network's gradient flow, and those of its variants."""

    networks: tuple[NetworkFlow, ...]
    changes: tuple[StageChange, ...]

    def shown(self) -> Record:
        """The figures."""
        return self.figures()

    def figures(self) -> Record:
        """The report of a single network, or the comparison with what it means."""
        base, *variants = (network.report() for network in self.networks)
        if not variants:
            return base
        comparison = Comparison(base, tuple(variants), self.changes)
        return replace(comparison, sentences=gradient_conclusions(comparison))

    def equations(self, stage: str | int) -> StageEquations:
        """The weight updates in a stage, for every network; N stands for `stageN`.

        Raises:
            UsageError: there is no such stage.
        """
        name = _stage_name(self.networks[0], str(stage))
        updates = tuple((network.name, _updates(network, name)) for network in self.networks)
        return StageEquations(self.networks[0].traced.loaded.name, name, updates)

    def records(self) -> GradientRecords:
        """The structure of all networks, for pictures."""
        return GradientRecords(tuple(NetworkRecord.of(network.name, network.record()) for network in self.networks))


def gradients(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp | None = None,
    by: By = "stage",
    depth: int | None = None,
    unit: str = "",
) -> GradientStudy:
    """Trace a network, and its twins if `csp` is given, and follow every channel from its layer to its readers.

    Args:
        model, inputs, kwargs: as for `analyze`.
        csp: how the twin is made; None for the network alone.
        by, depth: what makes a row.
        unit: a regular expression; layers whose module paths agree up to the end of its match count as one layer.

    Raises:
        CspanalyzeError: as `compare`; UsageError if `unit` is no regular expression, or makes units that read each
            other.

    >>> study = gradients("densenet121", csp=Csp())
    >>> figures = study.figures()
    >>> [round(each.result("gradient_duplication_channels").total, 3) for each in (figures.base, *figures.variants)]
    [0.755, 0.665]
    >>> print(study.equations(1).networks[0][1].updates[2].text())
    w₃′ = f(w₃, g₀, g₂)
    """
    from cspanalyze.analyses import Grouping

    networks, changes = traced_with_twins(model, inputs, kwargs, csp)
    rows = rows_of(networks[0], changes)
    unit_of = units_matching(unit) if unit else None
    found = []
    for traced in networks:
        flow = gradient_flow(traced.graph)
        refuse_without_gradient(flow)
        if unit_of is not None:
            flow = flow.by_unit(unit_of)
        found.append(NetworkFlow(traced, flow, Grouping.of(traced.graph, by, depth, rows)))
    return GradientStudy(tuple(found), changes)


def refuse_without_gradient(flow: GradientFlow) -> None:
    """Refuse a network in which there is nothing to follow.

    Raises:
        UsageError: it has no layers, or gradient reaches none.
    """
    if not flow.layers:
        raise UsageError(
            f"{flow.network} has no layer with a weight that mixes channels: there is no gradient to follow"
        )
    if not any(layer.reached for layer in flow.layers):
        raise UsageError(
            f"no gradient reaches a layer of {flow.network}: no floating-point output depends on one, but through "
            "detach() or torch.no_grad()"
        )


def _updates(network: NetworkFlow, stage: str) -> StageUpdates:
    plan = network.traced.graph.plan
    declared = next((each for each in plan.stages if each.name == stage), None) if plan is not None else None
    layers = scopes(network.flow, network.grouping).get(stage, ())
    return weight_updates(network.flow, layers, transition_letters(declared))


def _stage_name(network: NetworkFlow, stage: str) -> str:
    stages = scopes(network.flow, network.grouping)
    for name in (stage, f"stage{stage}"):
        if name in stages:
            return name
    raise UsageError(f"there is no stage {stage!r} with layers: {network.flow.network} has {', '.join(stages)}")
