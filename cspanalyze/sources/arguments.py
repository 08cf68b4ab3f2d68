"""The `--arg key=value` notation. No torch at import."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from cspanalyze.errors import UsageError

_WORDS = {"true": True, "false": False, "none": None}


def parse_arguments(texts: Iterable[str]) -> dict[str, Any]:
    """Read every `--arg`: a Python literal, `true`, `false` or `none`, and otherwise the text itself.

    Raises:
        UsageError: one is not of the form key=value, or a key occurs twice.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"cannot read --arg {text!r}: expected key=value, like --arg num_classes=10")
        if key in arguments:
            raise UsageError(f"--arg gives {key!r} twice: give each key once")
        arguments[key] = _literal(value)
    return arguments


def parse_numbered(texts: Iterable[str], networks: int) -> list[dict[str, Any]]:
    """The arguments of several networks: `key=value` is for all of them, `2:key=value` for the second.

    Raises:
        UsageError: as `parse_arguments`, or there is no network of that number.
    """
    of_all: list[str] = []
    of_one: dict[int, list[str]] = {}
    for text in texts:
        number, colon, rest = text.partition(":")
        if not (colon and number.isdecimal()):
            of_all.append(text)
        elif 1 <= int(number) <= networks:
            of_one.setdefault(int(number), []).append(rest)
        else:
            raise UsageError(f"--arg {text}: there is no network {number}, {networks} are named")
    shared = parse_arguments(of_all)
    return [{**shared, **parse_arguments(of_one.get(number, ()))} for number in range(1, networks + 1)]


def _literal(text: str) -> Any:
    # Without the words, `--arg pretrained=false` would pass the text "false", which is true.
    if text.casefold() in _WORDS:
        return _WORDS[text.casefold()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
