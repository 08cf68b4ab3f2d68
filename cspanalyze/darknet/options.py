"""The options of one section as numbers, with errors that name file, line and what would have been right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from cspanalyze.darknet.limits import MAX_INTEGER
from cspanalyze.darknet.sections import Option, Section, quoted
from cspanalyze.errors import SourceError

ACTIVATIONS = (
    "linear", "leaky", "relu", "relu6", "logistic", "loggy", "tanh", "elu", "selu", "gelu", "swish", "silu", "mish",
    "hard_mish", "hardtan", "ramp", "relie",
)  # fmt: skip
"""Activation functions that are known. `silu` is another name for `swish`."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")
_LONGEST_NUMBER = 40  # digits: float() of a long text takes time that grows with its square


def known(name: str, names: Iterable[str]) -> str:
    """`; did you mean b? Known are a, b, c`, for an error about `name`."""
    names = sorted(names)
    close = get_close_matches(name[:40].casefold(), names, n=1, cutoff=0.7)
    return f"{f'; did you mean {close[0]}?' if close else ';'} known are {', '.join(names)}"


class Options:
    """One section of the file `file`, read by key."""

    def __init__(self, section: Section, file: str) -> None:
        self.section = section
        self._file = file

    def error(self, message: str, option: Option | None = None) -> SourceError:
        """An error at the line of an option, or of the section."""
        line = option.line if option is not None else self.section.line
        place = f"{self._file}, line {line}" if line else self._file
        return SourceError(f"{place}: {message}")

    def check_keys(self, keys: Iterable[str]) -> None:
        """Refuse keys that are not among those known.

        Raises:
            SourceError: one is not.
        """
        allowed = frozenset(keys)
        for option in self.section.options:
            if option.key not in allowed:
                advice = known(option.key, allowed)
                raise self.error(f"[{self.section.name}] has no key {quoted(option.key)}{advice}", option)

    def given(self, key: str) -> bool:
        """Whether the section has the key."""
        return self.section.find(key) is not None

    def integer(self, key: str, default: int, low: int = 0, high: int = MAX_INTEGER) -> int:
        """A whole number within limits, both included.

        Raises:
            SourceError: it is none.
        """
        option = self.section.find(key)
        return default if option is None else self._integer(option, option.value, low, high)

    def integers(self, key: str, low: int = -MAX_INTEGER, high: int = MAX_INTEGER) -> tuple[int, ...]:
        """A list of whole numbers; empty if the key is absent. A comma at the end is allowed.

        Raises:
            SourceError: it is none.
        """
        option = self.section.find(key)
        if option is None:
            return ()
        return tuple(self._integer(option, item, low, high) for item in option.value.rstrip(",").split(","))

    def _integer(self, option: Option, text: str, low: int, high: int) -> int:
        if not _INTEGER.fullmatch(text):
            raise self.error(f"{option.key}={quoted(text)} is no whole number", option)
        value = int(text)
        if not low <= value <= high:
            limits = f"{low:,} or more" if value < low else f"at most {high:,}"
            raise self.error(f"{option.key}={value} is not possible, expected {limits}", option)
        return value

    def number(self, key: str, default: float, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number within limits, both included.

        Raises:
            SourceError: it is none.
        """
        option = self.section.find(key)
        if option is None:
            return default
        try:
            value = float(option.value) if len(option.value) <= _LONGEST_NUMBER else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{key}={quoted(option.value)} is no number", option)
        if not low <= value <= high:
            raise self.error(f"{key}={value:g} is not possible, expected {low:g} to {high:g}", option)
        return value

    def flag(self, key: str) -> bool:
        """Whether a number is there and not zero.

        Raises:
            SourceError: it is no whole number.
        """
        return self.integer(key, 0, low=-MAX_INTEGER) != 0

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """One of a few words.

        Raises:
            SourceError: it is none of them.
        """
        option = self.section.find(key)
        if option is None:
            return default
        if option.value not in choices:
            raise self.error(f"{key}={quoted(option.value)} is unknown{known(option.value, choices)}", option)
        return option.value

    def activation(self, default: str = "logistic", key: str = "activation") -> str:
        """The name of an activation function.

        Raises:
            SourceError: it is unknown.
        """
        name = self.choice(key, default, ACTIVATIONS)
        return "swish" if name == "silu" else name
