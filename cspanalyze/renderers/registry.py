"""Formats that plugins and users add, by the suffix of a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cspanalyze.errors import UsageError
from cspanalyze.plugins import load_plugins

Renderer = Callable[[Any], str | bytes]
_RENDERERS: dict[str, Renderer] = {}


def renderer(*suffixes: str) -> Callable[[Renderer], Renderer]:
    """Register a function of a record under file suffixes: `-o FILE.suffix` and `.save("FILE.suffix")` call it.

    It gets any record that is to be written (a `Report`, a `Comparison`, ...), and returns text or bytes. The formats
    of this package keep their suffixes.

    Raises:
        UsageError: a suffix does not begin with a point.

    >>> @register_renderer(".lines")
    ... def lines(record):
    ...     return "".join(f"{result.metric} {result.total}\\n" for result in record.results)
    """
    if wrong := [suffix for suffix in suffixes if not suffix.startswith(".") or len(suffix) < 2]:
        raise UsageError(f"{wrong[0]!r} is no suffix of files: expected one like '.toml'")

    def register(function: Renderer) -> Renderer:
        _RENDERERS.update(dict.fromkeys((suffix.lower() for suffix in suffixes), function))
        return function

    return register


def renderer_of(suffix: str) -> Renderer | None:
    """The function registered for a suffix, None if there is none."""
    load_plugins()
    return _RENDERERS.get(suffix.lower())
