"""`cspanalyze doctor`."""

from dataclasses import dataclass

from cspanalyze.cli.destination import destination
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import OutputOptions
from cspanalyze.cli.waiting import waiting

PURPOSE = Purpose.NETWORKS
EXAMPLES = (
    ("what is installed, what it gives, and how to get the rest", "cspanalyze doctor"),
    ("for a report of an error", "cspanalyze doctor -o doctor.json"),
)


@dataclass(frozen=True)
class DoctorOptions(OutputOptions):
    """Options of `doctor`."""


def run(options: DoctorOptions) -> None:
    """What is installed, what is missing, and how to get it.

    Versions of this program, Python, torch and all packages, programs and devices that some command can use: what each
    gives, and whether it works. Packages are imported in a process of their own. Nothing is changed or downloaded.
    """
    target = destination(options)
    with waiting("looking at packages, programs and devices"):
        from cspanalyze.pipeline.examination import examine

        installation = examine()
    from cspanalyze.renderers.installation import render_installation

    target.write(render_installation(installation, target.format, target.style))
