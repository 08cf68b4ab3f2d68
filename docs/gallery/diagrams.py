"""Makes the diagrams of the gallery and the page that shows them: `python docs/gallery/diagrams.py [NAME...]`.

Every picture is what the command beneath it writes.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
DIAGRAMS: Mapping[str, tuple[str, str]] = {
    "dense": (
        "schematic densenet121 --stage 1 --csp",
        "A dense stage and its partial twin: bars are feature maps, as high as they have channels.",
    ),
    "fusions": (
        "schematic densenet121 --stage 1 --csp --every-fusion",
        "Figure 3 of the CSPNet paper, from the networks themselves: one path, both transitions, fusion first, last.",
    ),
    "residual": ("schematic resnet50 --stage 3 --csp", "A residual stage and its partial twin."),
    "stages": ("graph resnet50 --level network --direction horizontal", "One node a stage, for a slide."),
    "twins": ("graph resnet50 --csp", "Network and twin, stage by stage; thick arrows pass the blocks by."),
    "difference": ("graph resnet50 --csp --view diff", "What the twin adds, changes and lacks."),
    "reuse": (
        "graph densenet121 --csp --view twin --color-by gradients",
        "In how many weight updates the same gradient enters: many behind a dense block, one along the bypass.",
    ),
    "macs": ("graph densenet121 --color-by macs", "Where the multiply-adds are."),
    "traffic": (
        "graph resnet18 --color-by traffic",
        "Which parts read most from memory, by the cache model: wide maps at the front, weights at the back.",
    ),
    "control": (
        "schematic resnet50 --stage 3 --csp --control",
        "The twin's control, below, has the same transitions and no split.",
    ),
    "blocks": ("graph timm:convnext_tiny --level block", "Blocks opened; those that repeat are drawn once."),
    "transformer": (
        "graph timm:vit_tiny_patch16_224 --level block --theme dark",
        "A vision transformer, on dark paper.",
    ),
    "versions": (
        "graph resnet18 --against resnet34 --view diff --level network --direction horizontal",
        "Two networks, and what differs.",
    ),
}


def main(names: Sequence[str]) -> None:
    """Draw the named diagrams, or all, and write the page."""
    for name in names or DIAGRAMS:
        file = FOLDER / f"diagram-{name}.svg"
        arguments = shlex.split(DIAGRAMS[name][0])
        subprocess.run([sys.executable, "-m", "cspanalyze", *arguments, "-o", str(file), "--force"], check=True)
    (FOLDER / "diagrams.md").write_text(_page(), encoding="utf-8")


def _page() -> str:
    parts = [
        "# Diagrams",
        "Made by `python docs/gallery/diagrams.py`. The suffix picks the format: .svg, .png, .pdf, .dot, .mmd "
        "(Mermaid); .html gives a page on which the network is opened step by step, searched and coloured, offline.",
    ]
    for name, (arguments, words) in DIAGRAMS.items():
        code = f"cspanalyze {arguments} -o {name}.svg"
        parts.append(f"## {name.capitalize()}\n\n{words}\n\n```\n{code}\n```\n\n![{words}](diagram-{name}.svg)")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
