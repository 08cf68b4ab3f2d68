"""`cspanalyze paper`."""

import contextlib
import sys
from dataclasses import dataclass
from typing import Annotated

from typer import Argument

from cspanalyze.cli.destination import destination
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import OutputOptions
from cspanalyze.cli.waiting import waiting

PURPOSE = Purpose.CSP
EXAMPLES = (
    ("every printed number beside the count here", "cspanalyze paper"),
    ("one table", "cspanalyze paper 'Table 3' -o table3.md"),
)
_PART_HELP = "Only rows with this in the name of the model, of the built-in network or of the table."


@dataclass(frozen=True)
class PaperOptions(OutputOptions):
    """Options of `paper`."""

    part: Annotated[str, Argument(metavar="[PART]", help=_PART_HELP)] = ""


def run(options: PaperOptions) -> None:
    """The CSPNet paper's tables beside the counts here.

    Every printed number of parameters, BFLOPs and CIO of arXiv 1911.11929 and its authors' README, what this program
    counts of the built-in network, and the difference. Networks whose definition was published agree in every printed
    digit, or a remark says why not; the others are reconstructions, and say how far off they are.
    """
    target = destination(options)
    from cspanalyze.pipeline.publication import publication

    with contextlib.redirect_stdout(sys.stderr), waiting("counting the paper's networks"):
        found = publication(options.part)
    from cspanalyze.renderers.publication import render_publication

    target.write(render_publication(found, target.format, target.style))
