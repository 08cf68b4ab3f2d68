"""DOT -> SVG, PNG or PDF: by the `dot` of the system, or by the Graphviz that comes inside pygraphviz.

It runs in a process of its own, which is ended when it takes too long: layout takes minutes on some graphs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

from cspanalyze.errors import OutputError

FORMATS = ("svg", "png", "pdf")
_SECONDS = (8.0, 18.0)  # for a picture with curves and frames, then for one without
_PNG_DPI = 160
_BUNDLED = (
    "import sys, pygraphviz\n"
    "graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())\n"
    "sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog=sys.argv[2], args=sys.argv[3]))"
)
_PINNED = "nop2"  # the layout in which everything stays where it is


def available() -> bool:
    """Whether there is any Graphviz."""
    return shutil.which("dot") is not None or find_spec("pygraphviz") is not None


def draw(dot: Callable[[bool], str], format: str, *, quick: bool = False) -> bytes:
    """The picture in one of the `FORMATS`, or the layout as `json`. `dot` gives the DOT text, without curves and
    frames if asked.

    Raises:
        OutputError: there is no Graphviz, it fails, or it takes too long even without curves and frames.
    """
    attempts = [(True, sum(_SECONDS))] if quick else [(False, _SECONDS[0]), (True, _SECONDS[1])]
    for plain, seconds in attempts:
        try:
            return _run(dot(plain), format, seconds)
        except subprocess.TimeoutExpired:
            continue
    raise OutputError(
        f"Graphviz did not finish within {sum(_SECONDS):.0f} seconds: choose a coarser --level, or write FILE.html"
    )


def draw_pinned(dot: str, format: str) -> bytes:
    """The picture of a graph whose shapes and lines have their places already.

    Raises:
        OutputError: there is no Graphviz, or it fails.
    """
    return _run(dot, format, sum(_SECONDS), _PINNED)


def _run(dot: str, format: str, seconds: float, layout: str = "dot") -> bytes:
    program = shutil.which("dot")
    density = f"-Gdpi={_PNG_DPI}" if format == "png" else ""
    if program is not None:
        command = [program, f"-K{layout}", f"-T{format}", *filter(None, [density])]
    elif find_spec("pygraphviz") is not None:
        command = [sys.executable, "-c", _BUNDLED, format, layout, density]
    else:
        raise OutputError("there is no Graphviz to draw with: pip install 'pygraphviz>=2'")
    done = subprocess.run(
        command, input=dot.encode(), capture_output=True, timeout=seconds, env={**os.environ, "PYTHONSAFEPATH": "1"}
    )
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OutputError(f"Graphviz could not draw the diagram: {said[-1] if said else 'it said nothing'}")
    return done.stdout
