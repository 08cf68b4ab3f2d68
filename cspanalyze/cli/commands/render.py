"""`cspanalyze render`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument

from cspanalyze.cli.destination import destination
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import ROWS, OutputOptions, option

PURPOSE = Purpose.PICTURES
EXAMPLES = (
    ("a saved run as a page, without torch", "cspanalyze render run.json -o run.html"),
    ("the same as a table of LaTeX", "cspanalyze render run.json --latex"),
)
_FILE_HELP = "What a command wrote as JSON (-o FILE.json): a run, a report, a diagram, a schematic, gradients."


@dataclass(frozen=True)
class FileOptions:
    """The FILE argument. Apart, because an argument without default must come first."""

    file: Annotated[str, Argument(metavar="FILE.json", help=_FILE_HELP)]


@dataclass(frozen=True)
class RenderOptions(OutputOptions, FileOptions):
    """Options of `render`."""

    tree: Annotated[bool, option(ROWS, "Nest the rows of a run by module.", "--tree")] = False


def run(options: RenderOptions) -> None:
    """A saved record again, in any format.

    Nothing is traced and torch is not loaded: the figures are those of the file.
    """
    from cspanalyze.renderers.pictures import picture_format

    target = destination(options, picture_format)
    from cspanalyze.renderers import Layout
    from cspanalyze.renderers.saved import render_saved
    from cspanalyze.saved import blaming, read_saved

    saved = read_saved(Path(options.file))
    with blaming(Path(options.file)):
        content = render_saved(saved, target.format, target.style, Layout(tree=options.tree))
    target.write(content)
