"""`cspanalyze compare`."""

import contextlib
import sys
from dataclasses import dataclass, replace
from typing import Annotated

from typer import Argument

from cspanalyze.cli.completion import complete_model
from cspanalyze.cli.destination import destination
from cspanalyze.cli.execution import command_line, refuse_gaps, with_note
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import (
    BATCH_HELP,
    INPUT_HELP,
    MODEL_HELP,
    NETWORK,
    OUTPUT,
    ROWS,
    STRICT_HELP,
    TOP_HELP,
    By,
    Dtype,
    OutputOptions,
    check_rows,
    option,
)
from cspanalyze.cli.waiting import waiting

PURPOSE = Purpose.COMPARISON
EXAMPLES = (
    (
        "three definitions of a network, layer by layer where they differ",
        "cspanalyze compare cspresnet50 timm:cspresnet50 darknet/cspresnet50",
    ),
    ("two of your own, by module", "cspanalyze compare net.py:before net.py:after --by module --depth 2"),
    (
        "the same function twice, with other arguments for each",
        "cspanalyze compare net.py:build net.py:build --arg 2:width=64",
    ),
    ("only the ten rows with the largest figures", "cspanalyze compare resnet50 resnet101 --by layer --top 10"),
)
METRICS = ("params", "macs", "cio", "concat_elements", "residual_add_elements", "unfused_bytes", "peak_bytes")
_MODELS_HELP = f"Two networks or more; the others are compared with the first. {MODEL_HELP}"

_ARG_HELP = (
    "Argument of the callables, like num_classes=10, or 2:num_classes=10 for the second one. Repeat for several."
)


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
    arg: Annotated[list[str] | None, option(NETWORK, _ARG_HELP, "--arg", metavar="[N:]K=V")] = None
    by: Annotated[By, option(ROWS, "What makes a row.")] = "stage"
    depth: Annotated[int | None, option(ROWS, "How many levels of modules --by module shows.")] = None
    top: Annotated[int | None, option(ROWS, TOP_HELP, metavar="N")] = None
    strict: Annotated[bool, option(OUTPUT, STRICT_HELP, "--strict")] = False

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        check_rows(self.by, self.depth, self.top)


def run(options: CompareOptions) -> None:
    """Any networks side by side, layer by layer where they differ.

    All get the input of the first. Layers are matched by what they do, not by name: what is only in one network, of
    another shape, or two convolutions where the other has one, is listed with what it costs. -o FILE.html is a whole
    report with diagrams, plots and gradients, unless --by asks for other rows than stages. MODEL may name a function or
    class in your own .py file; that file is then executed.
    """
    options.check()
    target = destination(options)
    from cspanalyze.sources import Request, check, parse_inputs, parse_numbered

    inputs, dtype = parse_inputs(tuple(options.input or ())), options.dtype or ""
    arguments = parse_numbered(options.arg or (), len(options.models))
    requests = [
        Request(model, given, inputs, batch=options.batch, dtype=dtype)
        for model, given in zip(options.models, arguments, strict=True)
    ]
    check(requests[0])
    with contextlib.redirect_stdout(sys.stderr), waiting(f"comparing {len(requests)} networks"):
        if target.format == "html" and options.by == "stage":
            from cspanalyze.pipeline.studying import study
            from cspanalyze.renderers.report import render_report

            made = study(requests, command=command_line())
            record = made.stages
            content: str | bytes = render_report(replace(made, stages=with_note(record)))
        else:
            from cspanalyze.pipeline.contrasting import contrast
            from cspanalyze.renderers import Layout, render

            record = contrast(requests, metrics=(*METRICS, "operations"), by=options.by, depth=options.depth)
            content = render(with_note(record), target.format, target.style, Layout(top=options.top))
    target.write(content)
    if options.strict:
        refuse_gaps(record)
