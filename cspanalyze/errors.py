"""The exceptions that reach a user, each with the exit code of the command line.

A message is one sentence that says what was given, what was expected and what to do.
"""

from collections.abc import Iterable


class CspanalyzeError(Exception):
    """Anything this package refuses to do; the command line prints the message and exits with `exit_code`."""

    exit_code = 2


class UsageError(CspanalyzeError):
    """An argument is off: a wrong option value, an input that the model cannot take, an unknown format."""


class RangeError(UsageError):
    """A value that no other option could make possible."""


def require_word(name: str, word: object, known: Iterable[str]) -> None:
    """Refuse a word that an argument does not take.

    Raises:
        UsageError: it is not among the known ones.
    """
    words = tuple(known)
    if word not in words:
        raise UsageError(f"{name} {word!r} is not possible: choose from {', '.join(words)}")


class SourceError(CspanalyzeError):
    """The MODEL argument names nothing that can be built."""


class TraceError(CspanalyzeError):
    """The model was built, but its forward pass could not be recorded.

    `live_bytes` is the most that inputs and activations took up to where it failed.
    """

    live_bytes = 0


class CspError(CspanalyzeError):
    """The network cannot be turned into its Cross Stage Partial twin as asked."""


class OutputError(CspanalyzeError):
    """A result cannot be written where it was asked for."""


class IncompleteError(CspanalyzeError):
    """Raised under `--strict` when an operation in the total has no formula."""

    exit_code = 3


class LimitError(CspanalyzeError):
    """Raised by `check` when a figure is beyond its limit."""

    exit_code = 4
