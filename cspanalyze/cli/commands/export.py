"""`cspanalyze export`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cspanalyze.cli.completion import complete_output
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import NETWORK, OUTPUT, ModelOptions, option
from cspanalyze.cli.session import note
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import UsageError
from cspanalyze.files import check_writable, write_file

PURPOSE = Purpose.NETWORKS
EXAMPLES = (
    ("a network file for Darknet", "cspanalyze export darknet/cspresnet50 --arg activation=mish -o net.cfg"),
    ("to standard output", "cspanalyze export peleenet -o -"),
)
_OUTPUT_HELP = "Write to FILE, whose suffix must be .cfg; without it, or as -, to standard output."


@dataclass(frozen=True)
class ExportOptions(ModelOptions):
    """Options of `export`."""

    arg: Annotated[list[str] | None, option(NETWORK, "Argument of the network, like side=320.", metavar="K=V")] = None
    output: Annotated[str, option(OUTPUT, _OUTPUT_HELP, "--output", "-o", metavar="FILE", complete=complete_output)] = (
        ""
    )
    force: Annotated[bool, option(OUTPUT, "Overwrite FILE if it exists.", "--force")] = False


def run(options: ExportOptions) -> None:
    """Write a network as a network file of Darknet (.cfg).

    Only networks that are made of Darknet layers have one: darknet/ names, peleenet and its kin, other .cfg files.
    Weights are no part of such a file; read again, it gives the same graph. MODEL may also name a function or
    class in your own .py file; that file is then executed.
    """
    path = Path(options.output) if options.output not in ("", "-") else None
    if path is not None and path.suffix != ".cfg":
        raise UsageError(f"-o {path} has another suffix than .cfg: export writes Darknet's network files")
    if path is None and options.force:
        raise UsageError("--force overwrites a file: name it with -o FILE")
    if path is not None:
        check_writable(path, options.force)
    from cspanalyze.darknet import cfg_text
    from cspanalyze.sources import Request, load, parse_arguments

    with waiting(f"building {options.model}"):
        text = cfg_text(load(Request(options.model, parse_arguments(options.arg or ()))).model)
    if path is None:
        sys.stdout.write(text)
        return
    write_file(path, text, force=options.force)
    note(f"wrote {path}")
