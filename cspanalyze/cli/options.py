"""The options of the commands: a frozen dataclass a command, whose fields are its arguments and options.

`command_of` turns a function of one such dataclass into a Typer command, so that an option is written down once.
Annotations are evaluated here, once, and not kept as text (`from __future__ import annotations`): Typer would evaluate
them again for every command at every start.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints

from typer import Argument, Context, Option

from cspanalyze.cli.completion import complete_input, complete_model, complete_output
from cspanalyze.cli.session import PROGRAM, ProgramOptions, note, session
from cspanalyze.errors import RangeError, UsageError

NETWORK, CSP, ROWS, OUTPUT = "Network and input", "Cross Stage Partial twin", "Rows and figures", "Output"
PICTURE = "Picture"
FORMATS = ("json", "csv", "markdown", "latex", "html")
"""Formats that have an option of their own."""

Dtype = Literal["float32", "float16", "bfloat16", "float64"]
Fusion = Literal["csp", "first", "last"]
Preset = Literal["auto", "paper", "dropin", "densenet"]
Inner = Literal["keep", "scale"]
Init = Literal["reset", "slice"]
By = Literal["stage", "module", "layer", "op"]

MODEL_HELP = (
    "Built-in name, timm:NAME, torchvision:NAME, hf:CONFIG.json (transformers), path/net.cfg (Darknet) or "
    "path/model.pt2 (torch.export), both read as data, package.module:CALLABLE or path/file.py:CALLABLE. The user's "
    ".py file is EXECUTED. Nothing is ever downloaded."
)
INPUT_HELP = "1x3x224x224, 1x3x224x224:float16 or, for a keyword, ids=1x128:int64. Repeat for several."
BATCH_HELP = "Batch size of every input."
_INPUT_FROM_HELP = "Function that returns a tensor, a tuple or a dict. The file is EXECUTED."
_ARG_HELP = "Argument of the callable, like num_classes=10. Repeat for several."
_GAMMA_HELP = (
    "Share of channels that BYPASS a stage's blocks, 0 < gamma < 1 (some ports mean the other share). Default 0.5."
)
_STAGES_HELP = "Stages to change: numbers from 1 or module paths, with commas. Default all."
_TRAIN_HELP = (
    "Count a training step: forward and backward in train mode, what autograd saves, gradients and peak memory. "
    "Without the optimiser."
)
_CONTROL_HELP = "Compare with the twin's control too: the same transitions, gamma 0, no split."
_OUTPUT_HELP = "Write to FILE; its suffix picks the format: .txt .json .csv .md .tex .html; - is standard output."
TOP_HELP = "Only the N rows with the largest figures, in tables."
STRICT_HELP = "Exit with 3 if a total leaves out an operation that has no formula."


def option(
    panel: str, help: str, *names: str, metavar: str | None = None, complete: Callable[[str], list[str]] | None = None
) -> Any:
    """An option of the command line; without `names` it is called like its field."""
    return Option(*names, help=help, metavar=metavar, rich_help_panel=panel, autocompletion=complete)


@dataclass(frozen=True)
class OutputOptions:
    """Where the result goes, and in which format."""

    json: Annotated[bool, option(OUTPUT, "JSON with full integers.", "--json")] = False
    csv: Annotated[bool, option(OUTPUT, "Tidy CSV, one row a figure.", "--csv")] = False
    markdown: Annotated[bool, option(OUTPUT, "GitHub tables.", "--markdown")] = False
    latex: Annotated[bool, option(OUTPUT, "LaTeX (package booktabs).", "--latex")] = False
    html: Annotated[bool, option(OUTPUT, "A page of its own, with tables that sort.", "--html")] = False
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE", complete=complete_output)] = (
        ""
    )
    force: Annotated[bool, option(OUTPUT, "Overwrite FILE if it exists.", "--force")] = False

    @property
    def format(self) -> str:
        """The format asked for by an option, "" if none is.

        Raises:
            UsageError: two are.
        """
        asked = [name for name in FORMATS if getattr(self, name)]
        if len(asked) > 1:
            raise UsageError(f"--{asked[0]} and --{asked[1]} contradict each other: choose one format")
        return asked[0] if asked else ""


@dataclass(frozen=True)
class ModelOptions:
    """The MODEL argument. Apart, because an argument without default must come first."""

    model: Annotated[str, Argument(metavar="MODEL", autocompletion=complete_model, help=MODEL_HELP)]


@dataclass(frozen=True)
class FeedOptions:
    """How a network is built, and what it is given."""

    input: Annotated[
        list[str] | None, option(NETWORK, INPUT_HELP, "--input", "-i", metavar="SHAPE", complete=complete_input)
    ] = None
    input_from: Annotated[str, option(NETWORK, _INPUT_FROM_HELP, metavar="FILE.py:FN")] = ""
    batch: Annotated[int | None, option(NETWORK, BATCH_HELP)] = None
    dtype: Annotated[Dtype | None, option(NETWORK, "Convert the network and its inputs.")] = None
    arg: Annotated[list[str] | None, option(NETWORK, _ARG_HELP, "--arg", metavar="K=V")] = None


@dataclass(frozen=True)
class InputOptions(FeedOptions, OutputOptions, ModelOptions):
    """A network and its input."""


@dataclass(frozen=True)
class PartialOptions:
    """How a twin is made."""

    gamma: Annotated[float | None, option(CSP, _GAMMA_HELP)] = None
    fusion: Annotated[Fusion | None, option(CSP, "How the two parts meet again. Default csp.")] = None
    preset: Annotated[Preset | None, option(CSP, "How a stage is made partial. Default auto.")] = None
    inner: Annotated[Inner | None, option(CSP, "Inner widths of the blocks: kept, or narrowed too. Default keep.")] = (
        None
    )
    stages: Annotated[str | None, option(CSP, _STAGES_HELP, metavar="LIST")] = None
    init: Annotated[Init | None, option(CSP, "Weights: drawn anew, or cut out of the base. Default reset.")] = None
    control: Annotated[bool, option(CSP, _CONTROL_HELP, "--control")] = False

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: a number is out of range, or a list empty.
        """
        if self.stages is not None and not self.stages.replace(",", "").strip():
            raise RangeError(f"--stages {self.stages!r} names no stage: give numbers from 1 or module paths")
        if self.gamma is not None and not (math.isfinite(self.gamma) and 0 < self.gamma < 1):
            raise RangeError(
                f"--gamma {self.gamma:g} is not possible: gamma is the share of channels that bypasses the blocks, "
                "so it must lie between 0 and 1"
            )


@dataclass(frozen=True)
class PairOptions:
    """Whether there is to be a twin. Apart, so that it stands before how."""

    csp: Annotated[bool, option(CSP, "Compare with the CSP twin.", "--csp")] = False


@dataclass(frozen=True)
class TwinOptions(PartialOptions, PairOptions, InputOptions):
    """A network, its input, and its twin."""

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        twin = ("gamma", "fusion", "preset", "inner", "stages", "init", "control")
        given = [f"--{name}" for name in twin if getattr(self, name) not in (None, False)]
        if given and not self.csp:
            verb = "says" if len(given) == 1 else "say"
            raise UsageError(f"{' and '.join(given)} {verb} how to make the CSP twin: add --csp to ask for one")
        super().check()


@dataclass(frozen=True)
class PictureOptions(TwinOptions):
    """A network, its twin, and how a picture of them looks."""

    theme: Annotated[Literal["light", "dark"], option(PICTURE, "Colours for light or dark paper.")] = "light"


@dataclass(frozen=True)
class NetworkOptions(TwinOptions):
    """A network and its twin, and how figures are grouped into rows."""

    by: Annotated[By, option(ROWS, "What makes a row.")] = "stage"
    depth: Annotated[
        int | None, option(ROWS, "How many levels of modules --by module shows; deeper ones are added up.")
    ] = None
    top: Annotated[int | None, option(ROWS, TOP_HELP, metavar="N")] = None
    unfold: Annotated[
        bool, option(ROWS, "A row of its own for each of several equal modules, in tables.", "--unfold")
    ] = False
    strict: Annotated[bool, option(OUTPUT, STRICT_HELP, "--strict")] = False

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        super().check()
        check_rows(self.by, self.depth, self.top)
        if self.unfold and self.by != "module":
            raise UsageError(f"--unfold needs --by module, and rows are by {self.by}")


@dataclass(frozen=True)
class StepOptions(NetworkOptions):
    """A network, and whether it is trained."""

    train: Annotated[bool, option(ROWS, _TRAIN_HELP, "--train")] = False


def command_of(function: Callable[[Any], None]) -> Callable[..., None]:
    """A function with one parameter for each field of the dataclass that `function` takes: what Typer reads.

    Every command takes the options of the program as well, and defaults from a configuration file.
    """
    options = next(iter(get_type_hints(function).values()))

    def command(ctx: Context, **values: Any) -> None:
        program = ProgramOptions(**{each.name: values.pop(each.name) for each in fields(ProgramOptions)})
        session().adopt(program)
        from cspanalyze.cli.config_file import with_defaults

        chosen = options(**with_defaults(ctx, values, options))
        try:
            function(chosen)
        finally:
            if session().defaults and not session().defaults_told:
                note(f"note: {session().defaults}")

    # Inheritance puts the options of every command first; in --help they belong last.
    parameters = sorted(_parameters(options), key=lambda each: each.name in {f.name for f in fields(OutputOptions)})
    parameters += _parameters(ProgramOptions)
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    command.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    command.__annotations__ = {"ctx": Context, **{each.name: each.annotation for each in parameters}}
    # One line a paragraph: rich would keep the line breaks of the source.
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    command.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    command.__name__ = function.__name__
    return command


def _parameters(options: type) -> list[inspect.Parameter]:
    """One for each field of a dataclass, by the panel they are shown in."""
    hints = {name: kind for cls in reversed(options.__mro__) for name, kind in inspect.get_annotations(cls).items()}
    found = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[each.name],
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
        )
        for each in fields(options)
    ]
    return sorted(found, key=lambda each: _PANELS.index(_panel(each)))


def _panel(parameter: inspect.Parameter) -> str | None:
    panel: str | None = parameter.annotation.__metadata__[0].rich_help_panel
    return panel if panel in _PANELS else ""


_PANELS = (None, NETWORK, CSP, "", ROWS, OUTPUT, PROGRAM)


def check_rows(by: str, depth: int | None, top: int | None) -> None:
    """Refuse what --by, --depth and --top cannot mean together.

    Raises:
        UsageError: they contradict each other, or a number is out of range.
    """
    if depth is not None and by != "module":
        raise UsageError(f"--depth needs --by module, and rows are by {by}")
    if depth is not None and depth < 1:
        raise RangeError(f"--depth {depth} is not possible: expected at least 1")
    if top is not None and top < 1:
        raise RangeError(f"--top {top} is not possible: expected at least 1")
