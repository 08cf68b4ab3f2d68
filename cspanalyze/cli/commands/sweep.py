"""`cspanalyze sweep`."""

from dataclasses import dataclass
from typing import Annotated

from typer import Argument

from cspanalyze.cli.completion import complete_model
from cspanalyze.cli.options import OUTPUT, option
from cspanalyze.errors import UsageError

EPILOG = "Example: cspanalyze sweep 'timm:resnet*' 'res*' --csv out.csv --workers 4"
RUN = "Run"
_PATTERNS_HELP = "Patterns of names (timm:*, torchvision:*, res* of the built-in ones), or any MODEL. Several allowed."
_CSV_HELP = "Write to FILE, a row as soon as it is there; without it to standard output."
_RESUME_HELP = "Keep the rows that FILE has, and leave those networks out."
_TIMEOUT_HELP = "Seconds for one network; its process is ended then. Default 300."
_STRICT_HELP = "Exit with 3 if a network failed, or an operation has no formula."


@dataclass(frozen=True)
class SweepOptions:
    """Options of `sweep`."""

    patterns: Annotated[list[str], Argument(metavar="PATTERN...", autocompletion=complete_model, help=_PATTERNS_HELP)]
    workers: Annotated[int, option(RUN, "Processes that work side by side. Default 1.", "--workers", "-w")] = 1
    timeout: Annotated[float, option(RUN, _TIMEOUT_HELP, "--timeout")] = 300.0
    csv: Annotated[str, option(OUTPUT, _CSV_HELP, "--csv", metavar="FILE")] = ""
    resume: Annotated[bool, option(OUTPUT, _RESUME_HELP, "--resume")] = False
    force: Annotated[bool, option(OUTPUT, "Overwrite FILE if it exists.", "--force")] = False
    strict: Annotated[bool, option(OUTPUT, _STRICT_HELP, "--strict")] = False
    debug: Annotated[bool, option(OUTPUT, "Show the traceback of an error.", "--debug")] = False


def run(options: SweepOptions) -> None:
    """Figures of many networks, one row each.

    Parameters, MACs, FLOPs as fvcore counts them, activations, CIO, peak memory, operations and how many of them have a
    formula, or in one sentence why a network has none. Every network is traced in a worker process: one that fails,
    hangs or crashes never stops the rest. A pattern may also be a function or class in your own .py file; that file is
    then executed.
    """
    if options.workers < 1:
        raise UsageError(f"--workers {options.workers} is not possible: expected at least 1")
    if options.timeout <= 0:
        raise UsageError(f"--timeout {options.timeout:g} is not possible: expected more than 0 seconds")
    if options.resume and not options.csv:
        raise UsageError("--resume needs the file to go on with: name it with --csv FILE")
    from cspanalyze.cli.sweep_run import run_sweep

    run_sweep(options)
