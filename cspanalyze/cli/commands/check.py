"""`cspanalyze check`."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cspanalyze.cli.destination import destination
from cspanalyze.cli.execution import request_of
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import InputOptions, option
from cspanalyze.cli.session import note
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import LimitError, UsageError

PURPOSE = Purpose.COMPARISON
EXAMPLES = (
    ("write the baseline", "cspanalyze check net.py:Net --against baseline.json --update"),
    (
        "fail if MACs grow by more than 2 %, or parameters at all",
        "cspanalyze check net.py:Net --against baseline.json --max macs=+2% --max params=+0",
    ),
)
LIMITS = "Baseline and limits"
_AGAINST_HELP = "JSON file with the run of one network, as --update writes it. Required."
_MAX_HELP = "METRIC=+2% or +1M more than the baseline, or METRIC=5G in all. Repeat. Default: no metric may grow."
_UPDATE_HELP = "Write the baseline anew from this network (and for the first time), whatever has grown."


@dataclass(frozen=True)
class CheckOptions(InputOptions):
    """Options of `check`."""

    against: Annotated[str, option(LIMITS, _AGAINST_HELP, "--against", metavar="FILE.json")] = ""
    max: Annotated[list[str] | None, option(LIMITS, _MAX_HELP, "--max", metavar="LIMIT")] = None
    update: Annotated[bool, option(LIMITS, _UPDATE_HELP, "--update")] = False


def run(options: CheckOptions) -> None:
    """Fail if the network has grown.

    Compares totals with a saved baseline, for continuous integration: exit code 0 if every limit is kept, 4 if one is
    not, with a table of where the network grew; 3 if it has operations without a formula that the baseline does not
    have, and 2 for bad input. MODEL may name a function or class in your own .py file; that file is then executed.
    """
    if not options.against:
        raise UsageError("--against is missing: name the baseline; --update writes it for the first time")
    path = Path(options.against)
    if path.suffix != ".json":
        raise UsageError(f"--against {path} has another suffix than .json")
    from cspanalyze.limits import parse_limit

    limits = tuple(parse_limit(text) for text in options.max or ())
    target = destination(options)
    request = request_of(options)
    from cspanalyze.files import check_writable, write_file
    from cspanalyze.pipeline.checking import baseline_in, baseline_of, check

    if not (options.update or path.exists()):
        raise UsageError(f"there is no baseline {path}: --update writes it from this network")
    if options.update:
        check_writable(path, force=True)
    before = None if options.update else baseline_in(path)
    with contextlib.redirect_stdout(sys.stderr), waiting(f"analysing {options.model}"):
        anew = baseline_of(request, limits) if options.update else None
        found = check(request, against=before, limits=limits) if before is not None else None
    if anew is not None:
        from cspanalyze.results import dumps

        write_file(path, dumps(anew), force=True)
        note(f"wrote {path}")
        return
    from cspanalyze.renderers.checks import render_check

    assert found is not None
    target.write(render_check(found, target.format, target.style))
    if not found.kept:
        broken = ", ".join(f"{each.metric} ({each.limit})" for each in found.broken)
        raise LimitError(f"{options.model} is beyond its limit: {broken}; --update accepts what it has now")
