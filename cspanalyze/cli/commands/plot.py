"""`cspanalyze plot`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument

from cspanalyze.cli.completion import (
    complete_columns,
    complete_metric,
    complete_model,
    complete_output,
    complete_profile,
)
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import OUTPUT, ROWS, STRICT_HELP, By, TwinOptions, option
from cspanalyze.errors import RangeError, UsageError

PURPOSE = Purpose.PICTURES
EXAMPLES = (
    ("bars in the terminal", "cspanalyze plot resnet50 --csp --metric cio"),
    ("a picture of the roofline", "cspanalyze plot resnet50 --kind roofline --profile a100_40gb -o roofline.svg"),
    ("traffic against on-chip capacity", "cspanalyze plot densenet121 --csp --kind capacity -o capacity.html"),
    ("the Pareto front of a sweep", "cspanalyze plot design.csv --kind pareto --x macs --y fused_bytes -o front.html"),
)
PLOT = "Plot"
Kind = Literal[
    "bars", "depth", "icicle", "treemap", "roofline", "capacity", "gamma", "overlap", "raster", "readers", "similarity",
    "pareto",
]  # fmt: skip
Theme = Literal["light", "dark"]
_MODEL_HELP = (
    "As for the other commands, or a saved FILE.json, or for --kind pareto the FILE.csv or FILE.json of a sweep. The "
    "user's .py file is EXECUTED."
)
_KIND_HELP = (
    "bars by stage or module; depth: layer after layer and their sum; icicle and treemap of the module tree; roofline "
    "of layers; capacity: traffic by what the chip holds; gamma: the twin against gamma; readers, overlap and raster "
    "of gradients; similarity of measured ones (of the FILE.json of `gradients --measured`); pareto front of a sweep."
)
_PROFILE_HELP = "Hardware, as for `cio`: jetson_tx2, a100_40gb ... Default jetson_tx2."
_METRIC_HELP = "What is drawn: macs, params, cio, fused_bytes, traffic_bytes ... Default macs."
OF_A_CHIP = ("traffic_bytes", "write_back_bytes")
_OUTPUT_HELP = (
    "Write to FILE; its suffix picks the format: .html .png .svg .pdf for the plot, .txt for bars of text, .json .csv "
    ".md .tex for its figures."
)


@dataclass(frozen=True)
class PlotOptions(TwinOptions):
    """Options of `plot`."""

    model: Annotated[str, Argument(metavar="MODEL", autocompletion=complete_model, help=_MODEL_HELP)]
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE", complete=complete_output)] = (
        ""
    )
    kind: Annotated[Kind, option(PLOT, _KIND_HELP, "--kind", "-k")] = "bars"
    metric: Annotated[str, option(PLOT, _METRIC_HELP, "--metric", "-m", metavar="NAME", complete=complete_metric)] = ""
    x: Annotated[
        str,
        option(
            PLOT,
            "Column of a sweep, for --kind pareto. Default macs.",
            "--x",
            metavar="NAME",
            complete=complete_columns,
        ),
    ] = ""
    y: Annotated[
        str,
        option(
            PLOT, "Column of a sweep, for --kind pareto. Default cio.", "--y", metavar="NAME", complete=complete_columns
        ),
    ] = ""
    profile: Annotated[
        str, option(PLOT, _PROFILE_HELP, "--profile", metavar="NAME|FILE.toml", complete=complete_profile)
    ] = ""
    by: Annotated[By | None, option(ROWS, "What makes a bar, a point or a box. Default as suits the plot.")] = None
    depth: Annotated[int | None, option(ROWS, "How many levels of modules --by module tells apart.")] = None
    strict: Annotated[bool, option(OUTPUT, STRICT_HELP, "--strict")] = False
    theme: Annotated[Theme, option(PLOT, "Ground of a picture; a page follows its reader.", "--theme")] = "light"
    width: Annotated[int, option(PLOT, "Width of a picture in points.", "--width", metavar="N")] = 900

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        super().check()
        if self.depth is not None and (self.by != "module" or self.depth < 1):
            raise UsageError("--depth needs --by module, and at least 1")
        if (self.x or self.y) and self.kind != "pareto":
            raise UsageError("--x and --y choose columns of a sweep: add --kind pareto")
        if self.profile and self.kind not in ("roofline", "capacity") and self.metric not in OF_A_CHIP:
            raise UsageError("--profile names the hardware of a roofline or a cache: add --kind roofline or capacity")
        if self.width < 100:
            raise RangeError(f"--width {self.width} is not possible: expected at least 100")
        if self.kind == "pareto" and not self.model.lower().endswith((".csv", ".json")):
            raise UsageError(
                f"--kind pareto draws the rows of a sweep: give its FILE.csv or FILE.json instead of {self.model}"
            )
        if self.kind == "similarity" and not self.model.lower().endswith(".json"):
            raise UsageError(
                "--kind similarity draws measured gradients: give the FILE.json that `cspanalyze gradients "
                f"{self.model} --measured -o FILE.json` writes"
            )
        if self.kind == "gamma" and not self.csp and not self.model.lower().endswith(".json"):
            raise UsageError("--kind gamma draws the CSP twin: add --csp to ask for one")


def run(options: PlotOptions) -> None:
    """A plot of a network, of a saved record or of a sweep.

    Without a file bars are drawn in the terminal. Pages (.html) need nothing to be shown; pictures (.png, .svg, .pdf)
    are drawn by Chrome or Chromium. MODEL may name a function or class in your own .py file; that file is then
    executed. With --csp the network is compared with its Cross Stage Partial twin, for which gamma is the share of
    channels that BYPASS the blocks.
    """
    options.check()
    from cspanalyze.cli.plot_run import run_plot

    if not options.model.lower().endswith((".json", ".csv")):
        run_plot(options)
        return
    from cspanalyze.saved import blaming

    with blaming(Path(options.model)):
        run_plot(options)
