"""`cspanalyze flops`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from cspanalyze.cli.execution import show
from cspanalyze.cli.options import ROWS, NetworkOptions, option

EPILOG = "Example: cspanalyze flops resnet50 --convention fvcore --input 1x3x256x256"
Convention = Literal["macs", "flops", "fvcore", "darknet"]
METRICS: Mapping[Convention | None, tuple[str, ...]] = MappingProxyType(
    {
        None: ("macs", "flops", "elementwise_flops", "activations"),
        "macs": ("macs",),
        "flops": ("flops", "elementwise_flops"),
        "fvcore": ("flops_fvcore",),
        "darknet": ("flops_darknet",),
    }
)


@dataclass(frozen=True)
class FlopsOptions(NetworkOptions):
    """Options of `flops`."""

    convention: Annotated[Convention | None, option(ROWS, "Count by this convention only.")] = None


def run(options: FlopsOptions) -> None:
    """Multiply-adds (MACs), FLOPs and activations.

    FLOPs are 2 x MACs; element-wise FLOPs stand in their own column. Published tables differ in what they call FLOPs:
    --convention fvcore and --convention darknet count like two of them. MODEL may name a function or class in your own
    .py file; that file is then executed. With --csp the network is compared with its Cross Stage Partial twin, for
    which gamma is the share of channels that BYPASS the blocks.
    """
    show(options, (*METRICS[options.convention], "operations"))
