"""One network, or one beside its twins: source -> trace -> plan -> analyses -> records. No torch at import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cspanalyze.pipeline.networks import HALF, Csp, Traced, loaded_of, rows_of, subject_of, traced_of, traced_twins
from cspanalyze.pipeline.traffic import with_traffic
from cspanalyze.results import Comparison, Report
from cspanalyze.sentences import conclusions
from cspanalyze.steps import step

if TYPE_CHECKING:
    from cspanalyze.analyses import By
    from cspanalyze.pipeline.layouts import Layout
    from cspanalyze.pipeline.networks import Network
    from cspanalyze.pipeline.traffic import Traffic

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

    >>> record = analyze("resnet18", metrics=("macs", "params"))
    >>> record.result("macs").total, record.result("params").total
    (1814073344, 11689512)

    A module of your own, with what it takes:

    >>> import torch
    >>> analyze(torch.nn.Linear(16, 4), torch.rand(2, 16), metrics=("macs",)).result("macs").total
    128
    """
    base = traced_of(loaded_of(model, inputs, kwargs, _layout(traffic)), train)
    return report_of(base, metrics, by, depth, traffic)


def compare(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp = HALF,
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

    >>> record = compare("resnet18", csp=Csp(gamma=0.5), metrics=("macs",))
    >>> [report.result("macs").total for report in (record.base, *record.variants)]
    [1814073344, 879595520]
    >>> record.changes[0].bypass_channels, record.changes[0].block_channels
    (32, 32)
    """
    base = traced_of(loaded_of(model, inputs, kwargs, _layout(traffic)), train)
    twins, changes = traced_twins(base, csp, train, _layout(traffic))
    rows = rows_of(base, changes)
    shown = [
        report_of(network, metrics, by, depth, traffic, number, rows) for number, network in enumerate([base, *twins])
    ]
    comparison = Comparison(shown[0], tuple(shown[1:]), changes)
    return replace(comparison, sentences=conclusions(comparison))


def report_of(
    traced: Traced,
    metrics: Sequence[str],
    by: By,
    depth: int | None,
    traffic: Traffic | None = None,
    number: int = 0,
    rows: Mapping[str, str] | None = None,
) -> Report:
    """The named metrics of a traced network, with its traffic if asked for.

    `number` is its place among variants; `rows` are those by stage that all of them have.
    """
    from cspanalyze.analyses import Grouping, run

    graph = traced.graph
    grouping = Grouping.of(graph, by, depth, rows)
    title = f"{traced.loaded.name} {traced.variant}".strip()
    with step(f"{len(metrics)} metrics of {title}"):
        report = Report(subject_of(traced), grouping.names, run(graph, metrics, grouping))
    if traffic is None:
        return report
    with step(f"cache model of {title}"):
        return with_traffic(report, graph, grouping, traffic, number=number)


def _layout(traffic: Traffic | None) -> Layout:
    return "nchw" if traffic is None else traffic.layout
