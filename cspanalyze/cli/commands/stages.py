"""`cspanalyze stages`."""

import contextlib
import sys
from dataclasses import dataclass

from cspanalyze.cli.destination import destination
from cspanalyze.cli.execution import request_of
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import InputOptions
from cspanalyze.cli.waiting import waiting

PURPOSE = Purpose.CSP
EXAMPLES = (
    ("what a stage is here, and why the rest is none", "cspanalyze stages timm:convnext_tiny"),
    ("as JSON", "cspanalyze stages resnet50 --json"),
)


@dataclass(frozen=True)
class StagesOptions(InputOptions):
    """Options of `stages`."""


def run(options: StagesOptions) -> None:
    """The stages that --csp makes partial.

    Path, blocks, channels and resolution of every stage, and for every other module with layers in it the reason why it
    is none. MODEL may name a function or class in your own .py file; that file is then executed.
    """
    target = destination(options)
    request = request_of(options)
    with contextlib.redirect_stdout(sys.stderr), waiting(f"looking into {options.model}"):
        from cspanalyze.pipeline.staging import list_stages

        listing = list_stages(request)
    from cspanalyze.renderers.stages import render_stages

    target.write(render_stages(listing, target.format, target.style))
