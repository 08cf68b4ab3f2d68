"""`examine()`: what is installed here and, if asked, whether it works. What is broken is told, whatever it does."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from cspanalyze import __version__
from cspanalyze.installation import Installation, Part

_EXTRA = "pip install -c constraints.txt '.[{}]'"
_CORE = {
    "torch": "networks and their traces",
    "fvcore": "a count beside ours: flops --engine fvcore",
    "thop": "a count beside ours: flops --engine thop",
    "networkx": "layouts of diagrams",
    "plotly": "plots",
    "pygraphviz": "Graphviz: pictures of diagrams",
}
_OPTIONAL = {
    "timm": ("networks timm:NAME", _EXTRA.format("models")),
    "torchvision": ("networks torchvision:NAME", _EXTRA.format("models")),
    "transformers": ("networks hf:CONFIG.json", "pip install transformers"),
    "kaleido": ("plots as .png, .svg and .pdf", _EXTRA.format("static")),
    "sklearn": ("data for gradients --measured --data digits", _EXTRA.format("data")),
    "distributed": ("sweep --scheduler on a Dask cluster", _EXTRA.format("cluster")),
    "ipywidgets": ("sliders in notebooks", _EXTRA.format("notebooks")),
    "pandas": ("data frames: record.to_dataframe()", "pip install pandas"),
}
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}
_ALWAYS_IMPORTED = ("torch",)
"""Nothing works without it, and it alone knows of devices."""
_SECONDS = 60
_IMPORTER = """
import importlib, json, sys
import warnings; warnings.simplefilter("ignore")
report = sys.__stdout__; sys.stdout = sys.stderr
def told(name, said):
    print(json.dumps([name, said]), file=report, flush=True)
def load(name):
    if name in ("timm", "torchvision"):
        from cspanalyze.sources.torchvision_import import with_torchvision
        return with_torchvision(lambda: importlib.import_module(name))
    return importlib.import_module(name)
for name in sys.argv[1:]:
    told(name, None)
    try:
        load(name)
    except BaseException as error:
        told(name, f"{type(error).__name__}: {error}".strip().partition(chr(10))[0])
    else:
        told(name, "")
try:
    torch = sys.modules["torch"]
    there = torch.cuda.is_available()
    told("cuda", ", ".join(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())) if there else "")
except BaseException as error:
    told("cuda", "")
"""


def examine(full: bool = False) -> Installation:
    """Look at every package, program and device that some command can use.

    Packages but torch are looked up only: importing all takes many seconds. With `full` each is imported, in another
    process, so that one which crashes it is told like one that raises.
    """
    there = [name for name in (*_CORE, *_OPTIONAL) if _there(name)]
    imported = _imported([name for name in there if full or name in _ALWAYS_IMPORTED])
    said = {name: imported.get(name) for name in there}
    parts = [
        Part("cspanalyze", "core", "ok", __version__, "this program"),
        Part("Python", "core", "ok", platform.python_version(), "", f"{platform.system()} {platform.machine()}"),
        *(_package(name, "core", gives, "pip install -c constraints.txt .", said) for name, gives in _CORE.items()),
        *(_package(name, "package", gives, get, said) for name, (gives, get) in _OPTIONAL.items()),
        *_programs(),
        _device(imported.get("cuda", "")),
    ]
    return Installation(tuple(parts))


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _imported(names: Sequence[str]) -> Mapping[str, str]:
    """What importing each says: nothing if it works. Where the process dies, it goes on behind the one that did it."""
    found: dict[str, str] = {}
    left = list(names)
    while True:
        code, lines = _lines(left)
        open_name = ""
        for name, said in lines:
            open_name = name if said is None else ""
            if said is not None:
                found[name] = said
        if not open_name:
            return found
        found[open_name] = f"importing it ends the process (exit code {code})"
        left = left[left.index(open_name) + 1 :]


def _lines(names: Sequence[str]) -> tuple[int | str, list[tuple[str, str | None]]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))}
    command = [sys.executable, "-c", _IMPORTER, *names]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        text = error.stdout or ""
        code: int | str = f"none within {_SECONDS} s"
        written = text.decode() if isinstance(text, bytes) else text
    else:
        code, written = done.returncode, done.stdout
    return code, [(name, said) for name, said in map(json.loads, written.splitlines())]


def _package(name: str, kind: Literal["core", "package"], gives: str, get: str, said: Mapping[str, str | None]) -> Part:
    """`said` is what importing it says, None if it is there and was not imported."""
    if name not in said:
        return Part(name, kind, "missing", "", gives, get=get)
    try:
        found = version(_DISTRIBUTIONS.get(name, name))
    except PackageNotFoundError:
        found = "unknown"
    why = said[name]
    if why:
        return Part(name, kind, "broken", found, gives, why, get)
    return Part(name, kind, "found" if why is None else "ok", found, gives)


def _programs() -> Iterator[Part]:
    from cspanalyze.measure import callgrind, counters
    from cspanalyze.renderers.pictures import graphviz
    from cspanalyze.renderers.plots import static

    yield _program("valgrind", "cio --measure simulated", "apt install valgrind", callgrind.require_valgrind)
    yield _program("perf", "cio --measure counter on a CPU", "apt install linux-perf", _without(counters.why_no_perf))
    yield _program("ncu", "cio --measure counter on a GPU", "NVIDIA Nsight Compute", _without(counters.why_no_ncu))
    yield _program("Chrome or Chromium", "plots as .png, .svg and .pdf", "apt install chromium", static.browser)
    yield _program("Graphviz", "diagrams as .svg, .png and .pdf", "pip install 'pygraphviz>=2'", graphviz.available)


def _program(name: str, gives: str, get: str, find: Callable[[], object]) -> Part:
    """A program that `find` finds, or raises why it does not."""
    try:
        found = find()
    except Exception as error:  # whatever a broken installation comes up with
        there = shutil.which(name) is not None
        if not there:
            return Part(name, "program", "missing", "", gives, get=get)
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        return Part(name, "program", "broken", "", gives, said)
    if not found:
        return Part(name, "program", "missing", "", gives, get=get)
    return Part(name, "program", "ok", "", gives)


def _without(why_not: Callable[[], str]) -> Callable[[], bool]:
    """Raises the reason, if there is one."""

    def find() -> bool:
        reason = why_not()
        if reason:
            raise OSError(reason)
        return True

    return find


def _device(devices: str) -> Part:
    gives = "latency --device cuda"
    if not devices:
        return Part("CUDA device", "device", "missing", "", gives, get="a torch built for CUDA, and a driver")
    return Part("CUDA device", "device", "ok", "", gives, devices)
