"""`cspanalyze summary`."""

from __future__ import annotations

from cspanalyze.cli.execution import show
from cspanalyze.cli.options import NetworkOptions

EPILOG = "Example: cspanalyze summary resnet50 --by module --depth 2"


def run(options: NetworkOptions) -> None:
    """All figures of a network at a glance.

    MODEL may name a function or class in your own .py file; that file is then executed. With --csp the network is
    compared with its Cross Stage Partial twin, for which gamma is the share of channels that BYPASS the blocks.
    """
    from cspanalyze.pipeline import OVERVIEW

    show(options, (*OVERVIEW, "operations"))
