"""Makes the plots of the gallery and the page that shows them: `python docs/gallery/plots.py [NAME...]`.

Needs the extra `static` and a Chrome or Chromium. Every picture is what the command beneath it writes.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
SWEEP = "sweep.csv"
PLOTS: Mapping[str, tuple[str, str]] = {
    "stages": ("resnet50 --csp --metric cio", "Stage by stage: what a partial stage saves, and where it costs more."),
    "depth": ("densenet121 --csp --kind depth --metric cio", "Layer after layer, and how it adds up."),
    "icicle": ("resnet50 --csp --kind icicle", "The module tree; every module as high as its share of the MACs."),
    "treemap": ("darknet53 --csp --kind treemap --metric params", "The same as boxes, here for parameters."),
    "gamma": ("resnet50 --csp --kind gamma", "The twin against gamma, the share of channels that bypasses the blocks."),
    "capacity": ("resnet50 --csp --kind capacity", "Bytes from memory against what the chip can hold."),
    "roofline": ("resnet50 --csp --kind roofline", "Which layers memory bounds, and which arithmetic."),
    "readers": ("densenet121 --csp --kind readers", "In how many weight updates the gradient of a channel appears."),
    "overlap": ("densenet121 --csp --kind overlap", "Which layers share their gradient sources."),
    "raster": ("densenet121 --csp --kind raster", "At which distances from the loss gradient reaches each layer."),
    "pareto": (f"{SWEEP} --kind pareto", "Built-in networks; those on the stair are beaten by none in both figures."),
}
NETWORKS = ("res*", "csp*", "dense*", "dark*", "se*")


def main(names: Sequence[str]) -> None:
    """Draw the named plots, or all, and write the page."""
    with tempfile.TemporaryDirectory() as work:
        for name in names or PLOTS:
            command = shlex.split(PLOTS[name][0])
            if SWEEP in command:
                _run("sweep", *NETWORKS, "--csv", str(Path(work, SWEEP)))
                command[0] = str(Path(work, SWEEP))
            _run("plot", *command, "-o", str(FOLDER / f"plot-{name}.svg"), "--force")
    (FOLDER / "plots.md").write_text(_page(), encoding="utf-8")


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cspanalyze", *arguments], check=True)


def _page() -> str:
    patterns = " ".join(f"'{pattern}'" if "*" in pattern else pattern for pattern in NETWORKS)
    parts = ["# Plots", "Made by `python docs/gallery/plots.py`. A suffix .html gives a page, .png and .pdf a picture."]
    for name, (arguments, words) in PLOTS.items():
        lines = [f"cspanalyze sweep {patterns} --csv {SWEEP}"] if SWEEP in arguments else []
        lines.append(f"cspanalyze plot {arguments} -o {name}.svg")
        code = "\n".join(lines)
        parts.append(f"## {name.capitalize()}\n\n{words}\n\n```\n{code}\n```\n\n![{words}](plot-{name}.svg)")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
