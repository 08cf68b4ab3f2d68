"""Everything that a report page shows, of one network, one beside its twin, or several. No torch at import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cspanalyze.diagrams import Diagram, diagram
from cspanalyze.diagrams.beside import side_by_side
from cspanalyze.errors import CspError
from cspanalyze.gradient_flow import GradientRecord, gradient_flow, gradient_record, scopes
from cspanalyze.pipeline.analysis import report_of
from cspanalyze.pipeline.contrasting import alignments_of, on_the_same_input
from cspanalyze.pipeline.networks import Csp, Traced, loaded_of, traced_of, traced_twins
from cspanalyze.pipeline.traffic import Traffic, default_traffic
from cspanalyze.results import Comparison
from cspanalyze.sentences import conclusions, contrasts, overview
from cspanalyze.steps import count, step
from cspanalyze.study import GammaPoint, Study, Total

if TYPE_CHECKING:
    from cspanalyze.analyses import By
    from cspanalyze.pipeline.networks import Network

STAGE_METRICS = (
    "macs", "params", "cio_closed_form", "cio", "concat_elements", "residual_add_elements", "unfused_bytes",
    "fused_bytes", "moc_median", "peak_bytes", "operations",
)  # fmt: skip
MODULE_METRICS = ("params", "macs", "cio", "fused_bytes")
CURVE_METRICS = ("macs", "params", "cio", "fused_bytes", "peak_bytes")
_COLUMNS = 3
GAMMAS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)


def study(models: Sequence[Network], csp: Csp | None = None, command: str = "", gammas: Sequence[float] = ()) -> Study:
    """Trace networks once each, and compute all that a report shows of them.

    Args:
        models: the first is what the others are compared with; all get its input.
        csp: how the twin of a single network is made; None for no twin.
        command: the command line, for the page.
        gammas: where the figures of twins are computed, besides that of `csp`, such as `GAMMAS`; none without. A gamma
            that the network cannot be split by is left out.

    Raises:
        CspanalyzeError: a network cannot be built, traced or made partial.
    """
    assert csp is None or len(models) == 1, "a twin is compared with one network"
    base = traced_of(loaded_of(models[0]))
    others = [traced_of(on_the_same_input(model, base.loaded)) for model in models[1:]]
    twins, changes = traced_twins(base, csp) if csp is not None else ([], ())
    networks, traffic = [base, *others, *twins], default_traffic()
    stages = replace(
        _side_by_side(networks, STAGE_METRICS, "stage", traffic),
        changes=changes,
        alignments=alignments_of(base, others),
    )
    said = conclusions(stages) if twins else (*overview(stages.base), *contrasts(stages))
    return Study(
        command,
        replace(stages, sentences=said),
        _side_by_side(networks, MODULE_METRICS, "module", traffic),
        tuple(_gamma_points(base, csp, gammas)) if csp is not None and gammas else (),
        tuple(_gradients(network) for network in networks),
        tuple(_diagrams(networks)),
    )


def _side_by_side(networks: Sequence[Traced], metrics: Sequence[str], by: By, traffic: Traffic) -> Comparison:
    base, *others = (report_of(each, metrics, by, None, traffic, number) for number, each in enumerate(networks))
    return Comparison(base, tuple(others))


def _gamma_points(base: Traced, csp: Csp, gammas: Sequence[float]) -> Iterator[GammaPoint]:
    wanted = sorted({*gammas, csp.gamma})
    for number, gamma in enumerate(wanted):
        count(f"twin at gamma {gamma:g}", number, len(wanted))
        try:
            (twin,), _ = traced_twins(base, replace(csp, gamma=gamma, control=False))
        except CspError:
            continue
        report = report_of(twin, CURVE_METRICS, "stage", None)
        yield GammaPoint(gamma, tuple(Total(result.metric, result.total) for result in report.results))


def _gradients(network: Traced) -> GradientRecord:
    from cspanalyze.analyses import Grouping

    with step(f"gradient structure of {_name(network)}"):
        flow = gradient_flow(network.graph)
        record = gradient_record(flow, scopes(flow, Grouping.of(network.graph)))
    return replace(record, network=_name(network))


def _diagrams(networks: Sequence[Traced]) -> list[Diagram]:
    """The networks side by side; more than three one by one."""
    with step("diagrams"):
        drawn = [replace(diagram(each.graph, "stage"), title=_name(each)) for each in networks]
    return [side_by_side(*drawn)] if 1 < len(drawn) <= _COLUMNS else drawn


def _name(network: Traced) -> str:
    return f"{network.loaded.name} {network.variant}".strip()
