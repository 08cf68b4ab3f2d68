"""Does the slider of notebook 4 redraw in under half a second? Every position of it, in this process.

    python benchmarks/slider.py

Exits with 1 if a move takes longer. Needs the extra `notebooks`.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from measurement import hardware

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "4-design-space.ipynb"
LIMIT_SECONDS = 0.5


def moved(slider: dict[str, Any]) -> dict[str, list[float]]:
    """Processor seconds of every move, by what was moved."""
    found: dict[str, list[float]] = {"gamma": [], "fusion": []}
    for fusion in ("first", "last", "csp"):
        found["fusion"].append(_seconds(slider["fusion"], fusion))
        for step in range(1, 18):
            found["gamma"].append(_seconds(slider["gamma"], 0.05 + 0.05 * step))
    return found


def _seconds(widget: Any, value: float | str) -> float:
    start = time.process_time()
    widget.value = value
    return time.process_time() - start


def main() -> int:
    cells = [
        "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    last = next(number for number, cell in enumerate(cells) if "interactive_output" in cell)
    slider: dict[str, Any] = {}
    # Without a kernel the widgets write what clears a terminal.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in cells[: last + 1]:
            exec(cell, slider)
        found = moved(slider)
    print(f"{slider['MODEL']} on {hardware()}")
    for name, seconds in found.items():
        middle, slowest = statistics.median(seconds), max(seconds)
        print(f"{name:8} {len(seconds):3} moves  median {1e3 * middle:4.0f} ms  slowest {1e3 * slowest:4.0f} ms")
    return int(max(map(max, found.values())) > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
