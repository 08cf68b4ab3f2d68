"""Names of networks from patterns like `timm:res*`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from cspanalyze import sources
from cspanalyze.errors import UsageError
from cspanalyze.plugins import load_plugins

_SIGNS = "*?["


def is_pattern(text: str) -> bool:
    """Whether the text has a sign of a pattern in it."""
    return any(sign in text for sign in _SIGNS)


def matching(patterns: Iterable[str]) -> list[str]:
    """MODEL arguments, each once: the networks that match, and every text that is no pattern as it is.

    A pattern without a prefix is one of built-in names.

    Raises:
        UsageError: a pattern matches nothing, or its prefix has no list of networks.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        found.update(dict.fromkeys(_matching(pattern) if is_pattern(pattern) else [pattern]))
    return list(found)


def _matching(pattern: str) -> list[str]:
    prefix, colon, rest = pattern.partition(":")
    load_plugins()
    listed = {source.prefix: source for source in sources.SOURCES if source.listing is not None}
    if colon and prefix not in listed:
        raise UsageError(f"there is no list of {prefix}: networks to match; there is one of {', '.join(listed)}")
    source = listed[prefix if colon else "builtin"]
    names = [name for name in source.names() if fnmatchcase(name, rest if colon else pattern)]
    if not names:
        raise UsageError(f"no network matches {pattern!r} (searched: {source.title})")
    return names if source.prefix == "builtin" else [f"{source.prefix}:{name}" for name in names]
