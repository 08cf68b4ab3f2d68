"""Everything that a report page shows, of one network, one beside its twin, or several. No torch at import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cspanalyze.errors import CspError, TraceError
from cspanalyze.gradients import GradientRecord, gradient_flow, gradient_record, scopes
from cspanalyze.pipeline.analysis import analyze, compare
from cspanalyze.pipeline.networks import Csp, twins_of
from cspanalyze.pipeline.traffic import Traffic, default_traffic
from cspanalyze.results import Comparison
from cspanalyze.sentences import differences, overview
from cspanalyze.sources import Loaded, Request, load
from cspanalyze.study import GammaPoint, Study, Total

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.analyses import By

STAGE_METRICS = (
    "macs", "params", "cio_closed_form", "cio", "concat_elements", "residual_add_elements", "unfused_bytes",
    "fused_bytes", "moc_median", "peak_bytes", "operations",
)  # fmt: skip
MODULE_METRICS = ("params", "macs", "cio", "fused_bytes")
CURVE_METRICS = ("macs", "params", "cio", "fused_bytes", "peak_bytes")
GAMMAS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)


def study(
    models: Sequence[str | Request | Loaded | nn.Module],
    csp: Csp | None = None,
    command: str = "",
    gammas: Sequence[float] = (),
) -> Study:
    """Compute all that a report shows of networks.

    Args:
        models: the first is what the others are compared with.
        csp: how the twin of a single network is made; None for no twin.
        command: the command line, for the page.
        gammas: where the figures of twins are computed, besides that of `csp`, such as `GAMMAS`; none without. A gamma
            that the network cannot be split by is left out.

    Raises:
        CspanalyzeError: a network cannot be built, traced or made partial.
    """
    assert csp is None or len(models) == 1, "a twin is compared with one network"
    loaded = [load(model) if isinstance(model, str | Request) else model for model in models]
    traffic = default_traffic()
    stages = _side_by_side(loaded, csp, STAGE_METRICS, "stage", traffic)
    if csp is None:
        stages = replace(stages, sentences=(*overview(stages.base), *differences(stages)))
    return Study(
        command,
        stages,
        _side_by_side(loaded, csp, MODULE_METRICS, "module", traffic),
        tuple(_gamma_points(loaded[0], csp, gammas)) if csp is not None and gammas else (),
        tuple(_gradients(loaded, csp)),
    )


def _side_by_side(
    networks: Sequence[Loaded | nn.Module],
    csp: Csp | None,
    metrics: Sequence[str],
    by: By,
    traffic: Traffic,
) -> Comparison:
    if csp is not None:
        return compare(networks[0], csp=csp, metrics=metrics, by=by, traffic=traffic)
    base, *others = (analyze(network, metrics=metrics, by=by, traffic=traffic) for network in networks)
    return Comparison(base, tuple(others))


def _gamma_points(base: Loaded | nn.Module, csp: Csp, gammas: Sequence[float]) -> Iterator[GammaPoint]:
    for gamma in sorted({*gammas, csp.gamma}):
        try:
            report = compare(base, csp=replace(csp, gamma=gamma), metrics=CURVE_METRICS).variants[0]
        except CspError:
            continue
        yield GammaPoint(gamma, tuple(Total(result.metric, result.total) for result in report.results))


def _gradients(networks: Sequence[Loaded | nn.Module], csp: Csp | None) -> Iterator[GradientRecord]:
    """The gradient structure of every network that can be traced without data."""
    from cspanalyze.sources.inputs import given

    for each in networks:
        network = each if isinstance(each, Loaded) else given(each, (), {})
        named = [(network.name, network.model)]
        if csp is not None:
            named += [
                (f"{network.name} {name}", twin.model)
                for name, twin in twins_of(network.model, csp, network.args, network.kwargs).items()
            ]
        for name, model in named:
            try:
                yield _gradient_record(name, model, network)
            except TraceError:
                continue


def _gradient_record(name: str, model: nn.Module, network: Loaded) -> GradientRecord:
    from cspanalyze.analyses import Grouping
    from cspanalyze.plans import read_plan
    from cspanalyze.tracing import trace

    graph = replace(trace(model, *network.args, kwargs=network.kwargs), plan=read_plan(model))
    flow = gradient_flow(graph)
    return replace(gradient_record(flow, scopes(flow, Grouping.of(graph))), network=name)
