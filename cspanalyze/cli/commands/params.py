"""`cspanalyze params`."""

from __future__ import annotations

from cspanalyze.cli.execution import show
from cspanalyze.cli.options import NetworkOptions

EPILOG = "Example: cspanalyze params timm:resnet50 --by module --depth 1"
METRICS = ("params", "params_trainable", "buffers")


def run(options: NetworkOptions) -> None:
    """Parameters and buffers.

    Tied parameters count once and are listed. MODEL may name a function or class in your own .py file; that file is
    then executed. With --csp the network is compared with its Cross Stage Partial twin, for which gamma is the share of
    channels that BYPASS the blocks.
    """
    show(options, METRICS)
