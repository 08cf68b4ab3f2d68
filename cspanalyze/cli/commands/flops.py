"""`cspanalyze flops`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from cspanalyze.cli.completion import complete_engines
from cspanalyze.cli.execution import show, show_record
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import ROWS, StepOptions, option
from cspanalyze.errors import UsageError

if TYPE_CHECKING:
    from cspanalyze.results import Record
    from cspanalyze.sources import Request

PURPOSE = Purpose.COST
EXAMPLES = (
    ("MACs, FLOPs and activations by stage", "cspanalyze flops resnet50"),
    ("a tree of modules, equal blocks folded", "cspanalyze flops timm:vit_tiny_patch16_224 --by module --depth 2"),
    ("beside torch, fvcore and thop, and why they differ", "cspanalyze flops timm:vit_tiny_patch16_224 --engine all"),
    ("as fvcore counts, for a published table", "cspanalyze flops resnet50 --convention fvcore"),
    ("a training step, backward pass included", "cspanalyze flops resnet50 --train --batch 32"),
)
Convention = Literal["macs", "flops", "fvcore", "darknet"]
STEP = ("macs", "backward_macs", "elementwise_flops", "backward_elementwise_flops")
_ENGINE_HELP = "Beside our count those of other programs, and why they differ: all, or some of torch,fvcore,thop."
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
class FlopsOptions(StepOptions):
    """Options of `flops`."""

    convention: Annotated[Convention | None, option(ROWS, "Count by this convention only.")] = None
    engine: Annotated[str, option(ROWS, _ENGINE_HELP, metavar="LIST", complete=complete_engines)] = ""

    def check(self) -> None:
        """As for every command, and what `--engine` and `--train` exclude.

        Raises:
            UsageError: options contradict each other.
        """
        super().check()
        if self.train and self.convention:
            raise UsageError(f"--convention {self.convention} counts a forward pass: leave it out, or --train")
        others = ("csp", "train", "convention", "depth", "top", "unfold", "strict")
        given = [f"--{name}" for name in others if getattr(self, name)]
        if self.by != "stage":
            given.append("--by")
        if self.engine and given:
            raise UsageError(f"--engine counts the whole network with each engine: leave out {' and '.join(given)}")


def run(options: FlopsOptions) -> None:
    """Multiply-adds (MACs), FLOPs and activations.

    FLOPs are 2 x MACs; element-wise FLOPs stand in their own column. Published tables differ in what they call FLOPs:
    --convention fvcore and --convention darknet count like two of them. MODEL may name a function or class in your own
    .py file; that file is then executed. With --csp the network is compared with its Cross Stage Partial twin, for
    which gamma is the share of channels that BYPASS the blocks. With --train the backward pass is counted operation by
    operation; with --engine all the counts of torch, fvcore and thop stand beside ours, and why they differ.
    """
    if options.engine:
        show_record(options, lambda request: _side_by_side(request, options.engine))
        return
    metrics = STEP if options.train else METRICS[options.convention]
    show(options, (*metrics, "operations"), train=options.train)


def _side_by_side(request: "Request", engines: str) -> "Record":
    from cspanalyze.pipeline.engines import count_side_by_side

    names = [name.strip() for name in engines.split(",") if name.strip()]
    return count_side_by_side(request, engines=[] if names == ["all"] else names)
