"""`path/file.py:loader`: batches from the user's own file, which is executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cspanalyze.errors import UsageError
from cspanalyze.sources.construction import attribute, in_one_line, searching
from cspanalyze.sources.pyfile import execute


def batches_of(text: str) -> Callable[[], Iterator[Any]]:
    """What begins to give the batches of a user's function, or iterable, anew.

    Raises:
        SourceError: there is no such file, nothing of that name in it, or it raises.
        UsageError: the text names no file and function; later, when called, the function raises or gives no iterable.
    """
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name:
        raise UsageError(f"--data {text} is neither synthetic nor digits nor path/file.py:LOADER")
    file = Path(path)
    with searching(str(file.resolve().parent), first=True):
        found = attribute(execute(file), name, str(file))

    def begin() -> Iterator[Any]:
        try:
            return iter(found() if callable(found) else found)
        except Exception as error:
            raise UsageError(f"--data {text} gives no batches: {in_one_line(error)}") from error

    return begin
