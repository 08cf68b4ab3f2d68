"""`cspanalyze graph`."""

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cspanalyze.cli.completion import complete_output
from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.execution import csp_of, request_of
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import CSP, OUTPUT, PICTURE, PictureOptions, option
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import OutputError, UsageError
from cspanalyze.files import check_writable

if TYPE_CHECKING:
    from cspanalyze.sources import Request

PURPOSE = Purpose.PICTURES
EXAMPLES = (
    ("base and twin side by side", "cspanalyze graph resnet50 --csp --color-by macs -o resnet50.svg"),
    ("what differs", "cspanalyze graph resnet50 --csp --view diff -o diff.svg"),
    ("a page to open, close and search", "cspanalyze graph densenet121 -o densenet121.html"),
    (
        "blocks of your own model, with some highlighted",
        "cspanalyze graph net.py:build --level block --highlight 'layer3.*' -o net.png",
    ),
)
_OUTPUT_HELP = (
    "Write to FILE; its suffix picks the format: .svg .png .pdf .dot .mmd .html (a page to explore) or .txt .json "
    ".csv .md .tex. Without it the nodes are printed as a table."
)
_LEVEL_HELP = (
    "What is a node: a stage (network), a block (stage), a layer with its norm and activation (block), a module "
    "(layer), an operation (op)."
)
_COLOUR_HELP = (
    "Colour nodes by a cost. bytes: every map and weight moved once, element-wise operations fused; traffic: bytes "
    "read from memory by the cache model of `cio`; gradients: how many weight updates use the same gradient."
)
_VIEW_HELP = "Beside each other, without the first one, or one picture of what differs. Default both."
_HIGHLIGHT_HELP = "Path, class or title to highlight, with * and ?: 'layer3.*', SEModule."


@dataclass(frozen=True)
class GraphOptions(PictureOptions):
    """Options of `graph`."""

    against: Annotated[
        str, option(CSP, "Another MODEL to compare with instead.", metavar="MODEL")
    ] = ""  # fmt: skip
    view: Annotated[Literal["both", "twin", "diff"] | None, option(CSP, _VIEW_HELP)] = None
    level: Annotated[Literal["network", "stage", "block", "layer", "op"], option(PICTURE, _LEVEL_HELP)] = "stage"
    color_by: Annotated[
        Literal["macs", "params", "cio", "bytes", "traffic", "gradients"] | None, option(PICTURE, _COLOUR_HELP)
    ] = None
    highlight: Annotated[str, option(PICTURE, _HIGHLIGHT_HELP, metavar="PATTERN")] = ""
    direction: Annotated[Literal["vertical", "horizontal"], option(PICTURE, "Which way data flows.")] = "vertical"
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE", complete=complete_output)] = (
        ""
    )

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other.
        """
        super().check()
        if self.control and self.view == "diff":
            raise UsageError("--view diff shows what differs between two networks: leave out --control")
        if self.csp and self.against:
            raise UsageError("--csp and --against contradict each other: a picture compares two networks")
        if self.output.lower().endswith((".html", ".htm")) and (
            self.level != "stage" or self.highlight or self.view == "diff"
        ):
            raise UsageError("a page is opened and searched by hand: leave out --level, --highlight and --view diff")
        if self.view and not (self.csp or self.against):
            raise UsageError(f"--view {self.view} needs a second network: add --csp or --against MODEL")


def run(options: GraphOptions) -> None:
    """Draw the network.

    Stages are frames, equal neighbours are drawn once ("×6"), every node says what it is, its shapes and costs. Thick
    arrows are bypasses: ways round with at most one layer. With --csp the network is drawn beside its Cross Stage
    Partial twin, for which gamma is the share of channels that BYPASS the blocks. MODEL may name a function or class in
    your own .py file; that file is then executed.
    """
    options.check()
    from cspanalyze.renderers.pictures import graphviz, picture_format

    target = destination(options, picture_format)
    no_graphviz = target.format in graphviz.FORMATS and not graphviz.available()
    given = _instead(target, options.force) if no_graphviz else target
    request = request_of(options)
    against = replace(request, model=options.against, arguments={}) if options.against else None
    if against is not None:
        from cspanalyze.sources import check

        check(against)
    with contextlib.redirect_stdout(sys.stderr), waiting(f"drawing {options.model}"):
        content = _picture(options, given, request, against)
    given.write(content)
    if no_graphviz:
        raise OutputError(
            f"there is no Graphviz to draw {target.path} with: wrote {given.path} instead (pip install 'pygraphviz>=2')"
        )


def _picture(
    options: GraphOptions, target: Destination, request: "Request", against: "Request | None"
) -> "str | bytes":
    from cspanalyze.diagrams.drawing import DRAWN
    from cspanalyze.pipeline.drawing import draw, outlines
    from cspanalyze.renderers.pictures import Look, render_diagram

    csp, view = csp_of(options) if options.csp else None, options.view or "both"
    if target.format == "html":
        from cspanalyze.renderers.pictures.webpage import render_page

        shown = outlines(request, csp=csp, against=against, view=view)
        return render_page(shown, options.theme, options.direction, options.color_by)
    drawn = draw(
        request,
        csp=csp,
        against=against,
        view=view,
        level=options.level,
        metrics=(*DRAWN, options.color_by) if options.color_by and options.color_by not in DRAWN else DRAWN,
        highlight=options.highlight,
    )
    look = Look(options.theme, options.direction, options.color_by)
    return render_diagram(drawn, target.format, look, target.style)


def _instead(target: Destination, force: bool) -> Destination:
    """The .dot file that is written where no Graphviz is found."""
    path = Path(str(target.path)).with_suffix(".dot")
    check_writable(path, force)
    return Destination("dot", path)
