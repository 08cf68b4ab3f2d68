"""`cspanalyze summary`."""

from __future__ import annotations

from cspanalyze.cli.execution import show
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import StepOptions

PURPOSE = Purpose.COST
EXAMPLES = (
    ("all figures, stage by stage", "cspanalyze summary resnet50"),
    ("a tree of modules", "cspanalyze summary resnet50 --by module --depth 2"),
    ("your own model with arguments", "cspanalyze summary path/to/net.py:build --arg width=32 --input 1x3x320x320"),
    ("what a training step costs", "cspanalyze summary resnet50 --train --batch 32"),
)


def run(options: StepOptions) -> None:
    """All figures of a network at a glance.

    MODEL may name a function or class in your own .py file; that file is then executed. With --csp the network is
    compared with its Cross Stage Partial twin, for which gamma is the share of channels that BYPASS the blocks. With
    --train the figures are those of a training step, the backward pass counted operation by operation.
    """
    from cspanalyze.pipeline import OVERVIEW, TRAINING

    show(options, (*(TRAINING if options.train else OVERVIEW), "operations"), train=options.train)
