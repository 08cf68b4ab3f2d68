"""`cspanalyze report`."""

import contextlib
import sys
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from typer import Argument

from cspanalyze.cli.completion import complete_model
from cspanalyze.cli.destination import destination
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import OUTPUT, STRICT_HELP, TwinOptions, option
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import UsageError

PURPOSE = Purpose.PICTURES
EXAMPLES = (
    ("one page with everything", "cspanalyze report resnet50 --csp -o report.html"),
    ("three networks beside the first", "cspanalyze report resnet50 timm:resnet50d timm:resnetv2_50 -o three.html"),
)
_OTHERS_HELP = "More networks, to be compared with the first one; they take the same input."


@dataclass(frozen=True)
class ReportOptions(TwinOptions):
    """Options of `report`."""

    others: Annotated[
        list[str] | None, Argument(metavar="[OTHER]...", autocompletion=complete_model, help=_OTHERS_HELP)
    ] = None
    writes_a_page: ClassVar[bool] = True
    strict: Annotated[bool, option(OUTPUT, STRICT_HELP, "--strict")] = False

    @property
    def models(self) -> list[str]:
        """All networks, the first one first."""
        return [self.model, *(self.others or ())]


def run(options: ReportOptions) -> None:
    """One page with everything: figures, plots, gradients, method.

    FILE.html opens without a network and holds tables that sort, plots of cost by stage, module and depth, and the
    gradient structure; FILE.json holds the same for `cspanalyze render`. MODEL may name a function or class in your own
    .py file; that file is then executed. With --csp a network is compared with its Cross Stage Partial twin, also over
    gamma, the share of channels that BYPASS the blocks.
    """
    options.check()
    if options.csp and len(options.models) > 1:
        raise UsageError(f"--csp compares one network with its twin, and {len(options.models)} are named")
    if not options.output and not options.format:
        options = replace(options, output="report.html")
    target = destination(options)
    from cspanalyze.cli.execution import command_line, csp_of, refuse_gaps, request_of, with_note

    requests = [request_of(replace(options, model=model)) for model in options.models]
    with contextlib.redirect_stdout(sys.stderr), waiting(f"analysing {' and '.join(options.models)}"):
        from cspanalyze.pipeline.studying import GAMMAS, study

        made = study(requests, csp_of(options) if options.csp else None, command_line(), GAMMAS)
        from cspanalyze.renderers.saved import render_saved

        made = replace(made, stages=with_note(made.stages))
        text = render_saved(made, target.format, target.style)
    target.write(text)
    if options.strict:
        refuse_gaps(made.stages)
