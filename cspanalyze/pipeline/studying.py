"""Everything that a report page shows, of one network, one beside its twin, or several. No torch at import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cspanalyze.errors import CspError
from cspanalyze.gradients import GradientRecord, gradient_flow, gradient_record, scopes
from cspanalyze.pipeline.analysis import Csp, Traced, report_of, traced_with_twins
from cspanalyze.results import Comparison, StageChange
from cspanalyze.sentences import conclusions, differences, overview
from cspanalyze.study import GammaPoint, Study, Total

if TYPE_CHECKING:
    from cspanalyze.analyses import By
    from cspanalyze.pipeline.analysis import Network

STAGE_METRICS = (
    "macs", "params", "cio_closed_form", "cio", "concat_elements", "residual_add_elements", "unfused_bytes",
    "fused_bytes", "moc_median", "peak_bytes", "operations",
)  # fmt: skip
MODULE_METRICS = ("params", "macs", "cio", "fused_bytes")
CURVE_METRICS = ("macs", "params", "cio", "fused_bytes", "peak_bytes")
GAMMAS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)


def study(models: Sequence[Network], csp: Csp | None = None, command: str = "", gammas: Sequence[float] = ()) -> Study:
    """Trace the networks once each, and compute all that a report shows of them.

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
    networks: list[Traced] = []
    changes: tuple[StageChange, ...] = ()
    for model in models:
        found, changes = traced_with_twins(model, (), None, csp)
        networks += found
    stages = replace(_side_by_side(networks, STAGE_METRICS, "stage"), changes=changes)
    said = conclusions(stages) if csp is not None else (*overview(stages.base), *differences(stages))
    return Study(
        command,
        replace(stages, sentences=said),
        _side_by_side(networks, MODULE_METRICS, "module"),
        tuple(_gamma_points(networks[0], csp, gammas)) if csp is not None and gammas else (),
        tuple(_gradients(network) for network in networks),
    )


def _side_by_side(networks: Sequence[Traced], metrics: Sequence[str], by: By) -> Comparison:
    base, *others = (report_of(network, metrics, by, None) for network in networks)
    return Comparison(base, tuple(others))


def _gamma_points(base: Traced, csp: Csp, gammas: Sequence[float]) -> Iterator[GammaPoint]:
    for gamma in sorted({*gammas, csp.gamma}):
        try:
            (_, twin), _ = traced_with_twins(base.loaded, (), None, replace(csp, gamma=gamma))
        except CspError:
            continue
        report = report_of(twin, CURVE_METRICS, "stage", None)
        yield GammaPoint(gamma, tuple(Total(result.metric, result.total) for result in report.results))


def _gradients(network: Traced) -> GradientRecord:
    from cspanalyze.analyses import Grouping

    flow = gradient_flow(network.graph)
    record = gradient_record(flow, scopes(flow, Grouping.of(network.graph)))
    return replace(record, network=f"{network.loaded.name} {network.variant}".strip())
