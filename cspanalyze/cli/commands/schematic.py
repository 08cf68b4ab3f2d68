"""`cspanalyze schematic`."""

import contextlib
import sys
from dataclasses import dataclass
from typing import Annotated

from cspanalyze.cli.completion import complete_output
from cspanalyze.cli.destination import destination
from cspanalyze.cli.execution import csp_of, request_of
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import CSP, OUTPUT, PICTURE, PictureOptions, option
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import UsageError

PURPOSE = Purpose.PICTURES
EXAMPLES = (
    ("a dense stage above its twin", "cspanalyze schematic densenet121 --stage 1 --csp -o stage1.svg"),
    ("the three fusions of Figure 3", "cspanalyze schematic densenet121 --stage 1 --csp --every-fusion -o fusions.svg"),
)
_OUTPUT_HELP = "Write to FILE: .svg .png .pdf, or .json. Without it the SVG goes to standard output."
_FORMATS = (".svg", ".png", ".pdf", ".json")


@dataclass(frozen=True)
class SchematicOptions(PictureOptions):
    """Options of `schematic`."""

    stage: Annotated[str, option(PICTURE, "Stage to draw: its number or name.")] = "1"
    every_fusion: Annotated[
        bool, option(CSP, "The twin in each of the three fusions, as in the paper's Figure 3.", "--every-fusion")
    ] = False
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE", complete=complete_output)] = (
        ""
    )

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other.
        """
        super().check()
        if self.every_fusion and not self.csp:
            raise UsageError("--every-fusion draws the CSP twin: add --csp to ask for one")
        if self.every_fusion and self.fusion:
            raise UsageError(f"--every-fusion and --fusion {self.fusion} contradict each other")
        if self.format not in ("", "json"):
            raise UsageError(f"a schematic is a picture: --{self.format} is not possible, only pictures and JSON are")


def run(options: SchematicOptions) -> None:
    """Draw a stage as the CSPNet paper does.

    Feature maps are bars as high as they have channels, the part that bypasses the blocks goes round above (Figures 2
    and 3 of arXiv 1911.11929), and beside it stand the weight updates with the gradients that enter them (equations 2
    and 4). With --csp the stage is drawn above that of its Cross Stage Partial twin, for which gamma is the share of
    channels that BYPASS the blocks. MODEL may name a function or class in your own .py file; that file is then
    executed.
    """
    options.check()
    target = destination(options, _format_of)
    request = request_of(options)
    with contextlib.redirect_stdout(sys.stderr), waiting(f"drawing {options.model}"):
        from cspanalyze.pipeline.drawing import sketch

        csp = csp_of(options) if options.csp else None
        drawn = sketch(request, options.stage, csp=csp, every_fusion=options.every_fusion)
    if target.format == "json":
        import json

        from cspanalyze.diagrams.schematic import schematic_to_json

        target.write(json.dumps(schematic_to_json(drawn), indent=2, ensure_ascii=False) + "\n")
        return
    from cspanalyze.renderers.pictures.schematic import render_schematic_as

    target.write(render_schematic_as(drawn, "svg" if target.path is None else target.format, options.theme))


def _format_of(suffix: str) -> str:
    if suffix.lower() not in _FORMATS:
        raise UsageError(f"a schematic is written as {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}, not as {suffix}")
    return suffix.lower()[1:]
