"""`cspanalyze csp`."""

import contextlib
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cspanalyze.cli.completion import complete_output
from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.execution import csp_of, request_of, with_note
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import CSP, OUTPUT, InputOptions, PartialOptions, option
from cspanalyze.cli.session import note
from cspanalyze.cli.waiting import waiting
from cspanalyze.files import check_writable, write_file

PURPOSE = Purpose.CSP
EXAMPLES = (
    ("the twin as PyTorch source to train", "cspanalyze csp resnet50 --gamma 0.5 -o twin.py"),
    (
        "only the last two stages, another fusion, weights cut out of the base",
        "cspanalyze csp timm:regnety_032 --stages 3,4 --fusion last --init slice -o twin.pt",
    ),
    ("the report of what was done, stage by stage", "cspanalyze csp densenet121 --gamma 0.25"),
)
METRICS = ("macs", "params", "cio")
_OUTPUT_HELP = (
    "Write the twin: .py plain PyTorch source, .pt its state_dict, .pt2 torch.export (any batch size where that can "
    "be); or the report: .txt .json .csv .md .tex .html"
)
_CONTROL_HELP = (
    "Show the twin's control too: the same transitions, gamma 0, no split. A .py, .pt or .pt2 file then holds the "
    "control instead of the twin."
)


@dataclass(frozen=True)
class CspOptions(PartialOptions, InputOptions):
    """Options of `csp`."""

    control: Annotated[bool, option(CSP, _CONTROL_HELP, "--control")] = False
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE", complete=complete_output)] = (
        ""
    )


def run(options: CspOptions) -> None:
    """Make the CSP twin, as source or weights, and report on it.

    The source needs nothing but torch; it has the twin's module names, and is run with the twin's weights before it is
    written. gamma is the share of channels that BYPASS the blocks. With --control the file holds the twin's control.
    MODEL may name a function or class in your own .py file; that file is then executed.
    """
    options.check()
    from cspanalyze.pipeline.twins import SUFFIXES
    from cspanalyze.renderers import format_of_suffix

    file = Path(options.output) if Path(options.output).suffix in SUFFIXES else None
    if file is not None:
        check_writable(file, options.force)
    shown = replace(options, output="", force=False) if file is not None else options
    target: Destination = destination(shown, partial(format_of_suffix, more=SUFFIXES))
    request, csp = request_of(options), csp_of(options)
    with contextlib.redirect_stdout(sys.stderr), waiting(f"making the twin of {options.model}"):
        from cspanalyze.pipeline import compare
        from cspanalyze.pipeline.twins import twin_file
        from cspanalyze.sources import load

        network = load(request)
        record = compare(network, csp=csp, metrics=METRICS)
        content = b"" if file is None else twin_file(network, file.suffix, csp=csp)
    from cspanalyze.renderers import render

    if file is not None:
        write_file(file, content, force=options.force)
        note(f"wrote {file}")
    target.write(render(with_note(record), target.format, target.style))
