"""`cspanalyze cio`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cspanalyze.cli.execution import show
from cspanalyze.cli.options import ROWS, NetworkOptions, option
from cspanalyze.errors import UsageError

if TYPE_CHECKING:
    from cspanalyze.results import Record

EPILOG = "Example: cspanalyze cio resnet50 --csp --gamma 0.5"
COMPANIONS = (
    "concat_elements", "residual_add_elements", "unfused_bytes", "fused_bytes", "moc_min", "moc_median", "peak_bytes",
)  # fmt: skip
"""Printed beside CIO because CIO leaves out what they count."""
Rule = Literal["conv", "conv+pool"]
_RULE_HELP = "Count convolutions (HarDNet), or pooling layers as well (Figure 8 of the CSPNet paper)."
METRICS: Mapping[Rule, tuple[str, ...]] = {
    "conv": ("macs", "params", "cio_closed_form", "cio", *COMPANIONS),
    "conv+pool": ("macs", "params", "cio_pool", *COMPANIONS),
}


@dataclass(frozen=True)
class CioOptions(NetworkOptions):
    """Options of `cio`."""

    rule: Annotated[Rule, option(ROWS, _RULE_HELP)] = "conv"


def run(options: CioOptions) -> None:
    """Convolutional input/output and other traffic.

    CIO is the number of elements that the convolutions read and write, weights left out: by closed form, by trace, and
    beside it what it leaves out. MODEL may name a function or class in your own .py file; that file is then executed.
    With --csp the network is compared with its Cross Stage Partial twin, for which gamma is the share of channels that
    BYPASS the blocks.
    """
    show(options, (*METRICS[options.rule], "operations"), _require_convolutions)


def _require_convolutions(record: "Record") -> None:
    from cspanalyze.renderers.tabulation import reports

    base = reports(record)[0]
    metric = "cio" if "cio" in base.metrics else "cio_pool"
    if not base.result(metric).total:
        raise UsageError(f"{base.subject.name} has no convolution, so it has no CIO: use `cspanalyze flops`")
