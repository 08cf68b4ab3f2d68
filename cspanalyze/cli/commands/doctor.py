"""`cspanalyze doctor`."""

from dataclasses import dataclass
from typing import Annotated

from cspanalyze.cli.destination import destination
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import OutputOptions, option
from cspanalyze.cli.waiting import waiting

PURPOSE = Purpose.NETWORKS
EXAMPLES = (
    ("what is installed, what it gives, and how to get the rest", "cspanalyze doctor"),
    ("for a report of an error: every package is imported", "cspanalyze doctor --full -o doctor.json"),
)


@dataclass(frozen=True)
class DoctorOptions(OutputOptions):
    """Options of `doctor`."""

    full: Annotated[bool, option("Examination", "Import every package, in a process of its own.", "--full")] = False


def run(options: DoctorOptions) -> None:
    """What is installed, what is missing, and how to get it.

    Versions of this program, Python, torch and all packages, programs and devices that some command can use: what each
    gives, and whether it is there. torch is imported; other packages are only looked up, unless --full is given.
    Nothing is changed or downloaded.
    """
    target = destination(options)
    with waiting("looking at packages, programs and devices"):
        from cspanalyze.pipeline.examination import examine

        installation = examine(options.full)
    from cspanalyze.renderers.installation import render_installation

    target.write(render_installation(installation, target.format, target.style))
