"""`cspanalyze compare`."""

import contextlib
import sys
from dataclasses import dataclass
from typing import Annotated

from typer import Argument

from cspanalyze.cli.completion import complete_model
from cspanalyze.cli.destination import destination
from cspanalyze.cli.execution import command_line, refuse_gaps
from cspanalyze.cli.options import (
    BATCH_HELP,
    INPUT_HELP,
    MODEL_HELP,
    NETWORK,
    OUTPUT,
    ROWS,
    STRICT_HELP,
    By,
    Dtype,
    OutputOptions,
    option,
)
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import UsageError

EPILOG = "Example: cspanalyze compare cspresnet50 timm:cspresnet50 darknet/cspresnet50"
METRICS = ("params", "macs", "cio", "concat_elements", "residual_add_elements", "unfused_bytes", "peak_bytes")
_MODELS_HELP = f"Two networks or more; the others are compared with the first. {MODEL_HELP}"


@dataclass(frozen=True)
class ModelsArgument:
    """The MODEL arguments. Apart, because an argument without default must come first."""

    models: Annotated[list[str], Argument(metavar="MODEL MODEL...", autocompletion=complete_model, help=_MODELS_HELP)]


@dataclass(frozen=True)
class CompareOptions(OutputOptions, ModelsArgument):
    """Options of `compare`."""

    input: Annotated[list[str] | None, option(NETWORK, INPUT_HELP, "--input", "-i", metavar="SHAPE")] = None
    batch: Annotated[int | None, option(NETWORK, BATCH_HELP)] = None
    dtype: Annotated[Dtype | None, option(NETWORK, "Convert the networks and their inputs.")] = None
    by: Annotated[By, option(ROWS, "What makes a row.")] = "stage"
    depth: Annotated[int | None, option(ROWS, "How many levels of modules --by module shows.")] = None
    strict: Annotated[bool, option(OUTPUT, STRICT_HELP, "--strict")] = False


def run(options: CompareOptions) -> None:
    """Any networks side by side, and layer by layer where they differ.

    All get the input of the first. Layers are matched by what they do, not by name: what is only in one network, of
    another shape, or two convolutions where the other has one, is listed with what it costs. -o FILE.html is a whole
    report with diagrams, plots and gradients, unless --by asks for other rows than stages. MODEL may name a function or
    class in your own .py file; that file is then executed.
    """
    if options.depth is not None and options.by != "module":
        raise UsageError(f"--depth needs --by module, and rows are by {options.by}")
    target = destination(options)
    from cspanalyze.sources import Request, check, parse_inputs

    inputs, dtype = parse_inputs(tuple(options.input or ())), options.dtype or ""
    requests = [Request(model, inputs=inputs, batch=options.batch, dtype=dtype) for model in options.models]
    check(requests[0])
    with contextlib.redirect_stdout(sys.stderr), waiting(f"comparing {len(requests)} networks"):
        if target.format == "html" and options.by == "stage":
            from cspanalyze.pipeline.studying import study
            from cspanalyze.renderers.report import render_report

            made = study(requests, command=command_line())
            record = made.stages
            content: str | bytes = render_report(made)
        else:
            from cspanalyze.pipeline.contrasting import contrast
            from cspanalyze.renderers import render

            record = contrast(requests, metrics=(*METRICS, "operations"), by=options.by, depth=options.depth)
            content = render(record, target.format, target.style)
    target.write(content)
    if options.strict:
        refuse_gaps(record)
