"""`cspanalyze params`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cspanalyze.cli.execution import show
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import ROWS, NetworkOptions, option

PURPOSE = Purpose.COST
EXAMPLES = (
    ("parameters and buffers by stage", "cspanalyze params resnet50"),
    ("by module", "cspanalyze params timm:resnet50 --by module --depth 1"),
    ("as the CSPNet paper counts them", "cspanalyze params cspresnet50 --rule weights"),
)
METRICS = {"all": ("params", "params_trainable", "buffers"), "weights": ("weights",)}
_RULE_HELP = "all, or only weights of convolutions and linear layers, as the CSPNet paper counts. Default all."


@dataclass(frozen=True)
class ParamsOptions(NetworkOptions):
    """Options of `params`."""

    rule: Annotated[Literal["all", "weights"], option(ROWS, _RULE_HELP)] = "all"


def run(options: ParamsOptions) -> None:
    """Parameters and buffers.

    Tied parameters count once and are listed. MODEL may name a function or class in your own .py file; that file is
    then executed. With --csp the network is compared with its Cross Stage Partial twin, for which gamma is the share of
    channels that BYPASS the blocks.
    """
    show(options, METRICS[options.rule])
