"""`cspanalyze sweep`."""

from dataclasses import dataclass
from typing import Annotated

from typer import Argument

from cspanalyze.cli.completion import complete_columns, complete_model
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import CSP, OUTPUT, FeedOptions, OutputOptions, option
from cspanalyze.errors import RangeError, UsageError

PURPOSE = Purpose.COMPARISON
EXAMPLES = (
    (
        "all of timm's ResNets, two at a time, and go on after an interruption",
        "cspanalyze sweep 'timm:resnet*' --csv out.csv --workers 2 --resume",
    ),
    (
        "ways to make a network partial, with the Pareto front marked",
        "cspanalyze sweep resnet50 --gamma .1:.9:.1 --fusion all --preset all --csv design.csv",
    ),
    ("on a Dask cluster", "cspanalyze sweep 'timm:*' --csv timm.csv --scheduler tcp://host:8786"),
)
RUN = "Run"
_PATTERNS_HELP = "Patterns of names (timm:*, torchvision:*, res* of the built-in ones), or any MODEL. Several allowed."
_CSV_HELP = "Write CSV to FILE, a row as soon as it is there."
_OUTPUT_HELP = "Write to FILE; its suffix picks the format: .csv (as with --csv) .txt .json .md .tex .html"
_RESUME_HELP = "Keep the rows that FILE has, and leave those networks out."
_TIMEOUT_HELP = "Seconds for one network; its process is ended then. Default 300."
_SCHEDULER_HELP = "Run on this Dask cluster instead (tcp://HOST:PORT; needs the extra cluster); there no task is timed."
_GAMMA_HELP = "Make twins: shares of channels that BYPASS the blocks, like 0.25,0.5 or 0.1:0.9:0.1. Default 0.5."
_FUSION_HELP = "Make twins: csp, first, last, several with commas, or all. Default csp."
_PRESET_HELP = "Make twins: auto, paper, dropin, densenet, several, or all that fit. Default auto."
_INNER_HELP = "Make twins: inner widths kept (keep), narrowed too (scale), or all. Default keep."
_CONTROL_HELP = "Make the controls of the twins too: the same transitions, gamma 0, no split."
_FRONT_HELP = "Figures that decide which designs are on the Pareto front, all better when smaller."
_STRICT_HELP = "Exit with 3 if a network failed, or an operation has no formula."


@dataclass(frozen=True)
class PatternOptions:
    """The PATTERN arguments. Apart, because an argument without default must come first."""

    patterns: Annotated[list[str], Argument(metavar="PATTERN...", autocompletion=complete_model, help=_PATTERNS_HELP)]


@dataclass(frozen=True)
class SweepOptions(FeedOptions, PatternOptions):
    """Options of `sweep`."""

    workers: Annotated[int, option(RUN, "Processes that work side by side. Default 1.", "--workers", "-w")] = 1
    timeout: Annotated[float, option(RUN, _TIMEOUT_HELP, "--timeout")] = 300.0
    scheduler: Annotated[str, option(RUN, _SCHEDULER_HELP, "--scheduler", metavar="ADDRESS")] = ""
    gamma: Annotated[str, option(CSP, _GAMMA_HELP, metavar="LIST")] = ""
    fusion: Annotated[str, option(CSP, _FUSION_HELP, metavar="LIST")] = ""
    preset: Annotated[str, option(CSP, _PRESET_HELP, metavar="LIST")] = ""
    inner: Annotated[str, option(CSP, _INNER_HELP, metavar="LIST")] = ""
    control: Annotated[bool, option(CSP, _CONTROL_HELP, "--control")] = False
    front: Annotated[str, option(CSP, _FRONT_HELP, metavar="LIST", complete=complete_columns)] = (
        "macs,fused_bytes,gradient_duplication"
    )
    csv: Annotated[str, option(OUTPUT, _CSV_HELP, "--csv", metavar="FILE")] = ""
    json: Annotated[bool, option(OUTPUT, "JSON with full integers.", "--json")] = False
    markdown: Annotated[bool, option(OUTPUT, "GitHub tables.", "--markdown")] = False
    latex: Annotated[bool, option(OUTPUT, "LaTeX (package booktabs).", "--latex")] = False
    html: Annotated[bool, option(OUTPUT, "A page of its own, with tables that sort.", "--html")] = False
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE")] = ""
    resume: Annotated[bool, option(OUTPUT, _RESUME_HELP, "--resume")] = False
    force: Annotated[bool, option(OUTPUT, "Overwrite FILE if it exists.", "--force")] = False
    strict: Annotated[bool, option(OUTPUT, _STRICT_HELP, "--strict")] = False

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        if self.workers < 1:
            raise RangeError(f"--workers {self.workers} is not possible: expected at least 1")
        if self.timeout <= 0:
            raise RangeError(f"--timeout {self.timeout:g} is not possible: expected more than 0 seconds")
        if self.resume and not self.rows_file:
            raise UsageError("--resume needs the file to go on with: name it with --csv FILE")
        if self.force and not (self.rows_file or self.output):
            raise UsageError("--force overwrites a file: name it with --csv FILE or -o FILE")
        if self.scheduler and self.workers != 1:
            raise UsageError("--workers are processes of this machine, and --scheduler brings its own: choose one")

    @property
    def rows_file(self) -> str:
        """The CSV file that grows by every row, "" for none.

        Raises:
            UsageError: two are named.
        """
        named = self.output if self.output.endswith(".csv") else ""
        if named and self.csv:
            raise UsageError(f"--csv {self.csv} and -o {named} are both CSV: name one file")
        return self.csv or named

    @property
    def rest(self) -> OutputOptions:
        """The format and file of what is written once all is done."""
        named = "" if self.output.endswith(".csv") else self.output
        formats = {name: getattr(self, name) for name in ("json", "markdown", "latex", "html")}
        return OutputOptions(**formats, output=named, force=self.force and bool(named))


def run(options: SweepOptions) -> None:
    """Figures of many networks, or of many twins of one.

    One row each: parameters, MACs, FLOPs as fvcore counts them, activations, CIO, peak memory, operations and how
    many of them have a formula, or in one sentence why a network has none. Every network is traced in a worker
    process: one that fails, hangs or crashes never stops the rest. With --gamma, --fusion, --preset, --inner or
    --control every network stands beside its CSP twins in all these combinations, with traffic, peak memory and
    structural gradient duplication, and the Pareto front is marked. A pattern may also be a function or class in
    your own .py file; that file is then executed.
    """
    options.check()
    if any((options.gamma, options.fusion, options.preset, options.inner, options.control)):
        from cspanalyze.cli.design_run import run_designs

        run_designs(options)
        return
    from cspanalyze.cli.sweep_run import run_sweep

    run_sweep(options)
