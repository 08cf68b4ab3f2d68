"""Shell completion, without importing torch or any package of networks."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(r'^@register_model\b(?:\(name="(\w+)"\))?.*?^def (\w+)', re.M | re.S)
_PACKAGES = ("timm", "torchvision")
_SUFFIXES = (".txt", ".json", ".csv", ".md", ".tex", ".html")
_CODE = (".py", ".cfg", ".pt2", ".json")
_METRICS = (
    "macs", "params", "flops", "elementwise_flops", "activations", "cio", "concat_elements", "residual_add_elements",
    "unfused_bytes", "fused_bytes", "moc_min", "moc_median", "peak_bytes",
)  # fmt: skip
_COLUMNS = (*_METRICS, "gradient_duplication", "traffic_bytes")
_ENGINES = ("all", "torch", "fvcore", "thop")


def join_words() -> None:
    """Undo what bash does to `timm:resnet`: it takes a colon for a word, and replaces what is behind it only."""
    words = os.environ.get("COMP_WORDS", "")
    if os.environ.get("_CSPANALYZE_COMPLETE") != "complete_bash" or not re.search(r"\s:(\s|$)", words):
        return
    current = int(os.environ.get("COMP_CWORD", "0"))
    parts = words.split()[: current + 1]
    begun = "" if parts[-1] == ":" or len(parts) <= current else parts.pop()
    joined = re.sub(r" :(?: |$)", ":", " ".join(parts)).split(" ")
    before = joined.pop() if joined[-1].endswith(":") else ""
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = " ".join([*joined, begun]), str(len(joined))
    os.environ[_BEFORE] = before


_BEFORE = "_CSPANALYZE_BEFORE"
"""What stands before the colon that bash broke a word at."""


def complete_model(incomplete: str) -> list[str]:
    """Built-in networks, those of timm and torchvision behind their prefix, and files that can hold a network."""
    before = os.environ.get(_BEFORE, "")
    prefix, colon, rest = (before + incomplete).partition(":")
    if colon:
        found = [name for name in (_registered(prefix) if prefix in _PACKAGES else ()) if name.startswith(rest)]
        return found if before else [f"{prefix}:{name}" for name in found]
    from cspanalyze import zoo

    prefixes = [f"{name}:" for name in _PACKAGES if find_spec(name) is not None]
    names = [name for name in (*zoo.names(), *prefixes, "hf:") if name.startswith(incomplete)]
    return names + _files(incomplete, _CODE)


def complete_output(incomplete: str) -> list[str]:
    """The file with every suffix that stands for a format; behind a suffix the files there are."""
    path = Path(incomplete)
    if not incomplete or incomplete.endswith("/"):
        return _files(incomplete, _SUFFIXES)
    stem, dot, begun = incomplete.rpartition(".")
    if dot and not path.name.startswith("."):
        return [f"{stem}{suffix}" for suffix in _SUFFIXES if suffix.startswith(f".{begun}")]
    return [f"{incomplete}{suffix}" for suffix in _SUFFIXES]


def complete_input(incomplete: str) -> list[str]:
    """The shapes that are asked for most."""
    shapes = ("1x3x224x224", "1x3x256x256", "1x3x384x384", "1x3x512x512", "1x3x640x640")
    return [shape for shape in shapes if shape.startswith(incomplete)]


def complete_metric(incomplete: str) -> list[str]:
    """Names of metrics."""
    return [name for name in _METRICS if name.startswith(incomplete)]


def complete_columns(incomplete: str) -> list[str]:
    """Names of figures of a sweep, behind a comma too."""
    return _listed(incomplete, _COLUMNS)


def complete_engines(incomplete: str) -> list[str]:
    """Names of counting engines, behind a comma too."""
    return _listed(incomplete, _ENGINES)


def complete_profile(incomplete: str) -> list[str]:
    """Hardware profiles, and files that can hold one."""
    from cspanalyze.hardware import profiles

    return [name for name in profiles() if name.startswith(incomplete)] + _files(incomplete, (".toml",))


def _listed(incomplete: str, known: tuple[str, ...]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in known if name.startswith(last) and name not in before.split(",")]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Folders and files of these kinds that begin so."""
    if not incomplete:
        return []
    folder, name = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    found = [entry for entry in entries if entry.name.startswith(name) and not (entry.name[:1] == "." != name[:1])]
    return [
        os.path.join(folder, entry.name) + ("/" if entry.is_dir() else "")
        for entry in found
        if entry.is_dir() or entry.name.endswith(suffixes)
    ]


def _registered(package: str) -> list[str]:
    """The names of the functions that the package registers, read off its source: importing it takes seconds."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    sources = sorted((Path(spec.origin).parent / "models").rglob("*.py"))
    return sorted({name for path in sources for name in _names_in(path)})


def _names_in(path: Path) -> list[str]:
    return [found[1] or found[2] for found in _REGISTERED.finditer(path.read_text(encoding="utf-8"))]
