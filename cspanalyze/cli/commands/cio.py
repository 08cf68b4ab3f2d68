"""`cspanalyze cio`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cspanalyze.cli.completion import complete_profile
from cspanalyze.cli.execution import show
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import ROWS, NetworkOptions, option
from cspanalyze.errors import RangeError, UsageError

if TYPE_CHECKING:
    from cspanalyze.pipeline import Csp
    from cspanalyze.pipeline.traffic import Traffic
    from cspanalyze.results import Record
    from cspanalyze.sources import Request

PURPOSE = Purpose.COST
EXAMPLES = (
    (
        "base and twin, stage by stage: formula beside trace, and what CIO leaves out",
        "cspanalyze cio resnet50 --csp --gamma 0.5",
    ),
    (
        "with pooling layers counted too, as in Figure 8 of the paper",
        "cspanalyze cio cspresnext50 --rule conv+pool --input 1x3x256x256",
    ),
    (
        "roofline time and energy on a device, and traffic at every capacity",
        "cspanalyze cio densenet121 --profile a100_40gb --curve",
    ),
    ("your own model, as JSON", "cspanalyze cio net.py:build --arg width=32 --input 1x3x320x320 -o cio.json"),
)
COMPANIONS = (
    "concat_elements", "residual_add_elements", "unfused_bytes", "fused_bytes", "moc_min", "moc_median", "peak_bytes",
)  # fmt: skip
"""Printed beside CIO because CIO leaves out what they count."""
Rule = Literal["conv", "conv+pool"]
Kernels = Literal["cpu-onednn", "ideal"]
Layout = Literal["nchw", "channels-last"]
Concat = Literal["copy", "view"]
Measure = Literal["simulated", "counter"]
_RULE_HELP = "Count convolutions (HarDNet), or pooling layers as well (Figure 8 of the CSPNet paper)."
METRICS: Mapping[Rule, tuple[str, ...]] = {
    "conv": ("macs", "params", "cio_closed_form", "cio", *COMPANIONS),
    "conv+pool": ("macs", "params", "cio_pool", *COMPANIONS),
}


TRAFFIC = "Memory traffic"
_PROFILE_HELP = (
    "Hardware: jetson_tx2, jetson_agx_xavier, core_i9_9900k, a100_40gb, h200_sxm, edge_npu_1mb, or a FILE.toml of your "
    "own. Adds roofline time (a bound) and an energy estimate. Default: the cache of jetson_tx2."
)
_CAPACITY_HELP = "On-chip capacity instead of the profile's, like 512K or 4M."
_KERNELS_HELP = "How operators walk through memory: like eager float32 on a CPU, or without its copies."
_MEASURE_HELP = (
    "Beside the model: the real run under valgrind's cache simulation (minutes), or this machine's hardware counters."
)


@dataclass(frozen=True)
class CioOptions(NetworkOptions):
    """Options of `cio`."""

    rule: Annotated[Rule, option(ROWS, _RULE_HELP)] = "conv"
    profile: Annotated[str, option(TRAFFIC, _PROFILE_HELP, metavar="NAME|FILE.toml", complete=complete_profile)] = ""
    capacity: Annotated[str, option(TRAFFIC, _CAPACITY_HELP, metavar="SIZE")] = ""
    kernels: Annotated[Kernels | None, option(TRAFFIC, _KERNELS_HELP)] = None
    layout: Annotated[Layout, option(TRAFFIC, "Memory layout of maps.")] = "nchw"
    concat: Annotated[Concat, option(TRAFFIC, "Concatenations copy, or are free.")] = "copy"
    curve: Annotated[bool, option(TRAFFIC, "Show the traffic at every capacity.", "--curve")] = False
    measure: Annotated[Measure | None, option(TRAFFIC, _MEASURE_HELP)] = None


def run(options: CioOptions) -> None:
    """Convolutional input/output and other traffic.

    CIO is the number of elements that the convolutions read and write, weights left out: by closed form, by trace, and
    beside it what it leaves out. A cache model says what of all that goes to memory. MODEL may name a function or class
    in your own .py file; that file is then executed. With --csp the network is compared with its Cross Stage Partial
    twin, for which gamma is the share of channels that BYPASS the blocks.
    """
    from cspanalyze.pipeline.measuring import require, traffic_of

    capacity = _bytes(options.capacity) if options.capacity else None
    asked = traffic_of(options.profile, capacity, options.kernels, options.concat, options.layout)
    if options.measure is not None:
        require(options.measure)

    def traffic(request: "Request", csp: "Csp | None") -> "Traffic":
        from cspanalyze.pipeline.measuring import measured

        return asked if options.measure is None else measured(asked, options.measure, request, csp)

    metrics = (*METRICS[options.rule], "operations")
    show(options, metrics, _require_convolutions, traffic=traffic, curve=options.curve)


def _bytes(text: str) -> int:
    """A size like 512K or 4M; K, M and G are powers of 1024."""
    units = {"K": 10, "M": 20, "G": 30}
    digits = text.upper().removesuffix("IB").removesuffix("B")
    shift = units.get(digits[-1:], 0)
    try:
        size = int(float(digits[:-1] if shift else digits) * (1 << shift))
    except (ValueError, OverflowError):
        size = 0
    if not 1024 <= size <= 1 << 40:
        raise RangeError(f"--capacity {text} is not possible: expected a size from 1K on, like 512K or 4M")
    return size


def _require_convolutions(record: "Record") -> None:
    from cspanalyze.renderers.tabulation import reports

    base = reports(record)[0]
    metric = "cio" if "cio" in base.metrics else "cio_pool"
    if not base.result(metric).total:
        raise UsageError(f"{base.subject.name} has no convolution, so it has no CIO: use `cspanalyze flops`")
