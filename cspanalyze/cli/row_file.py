"""A CSV file that grows by a row as soon as it is there, and can be gone on with."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cspanalyze.errors import OutputError, UsageError
from cspanalyze.files import check_writable, replace_file


@dataclass(frozen=True, slots=True)
class RowFile:
    """The file at `path`, whose header are the `fields`; without a path, standard output."""

    path: Path | None
    fields: tuple[str, ...]

    def begin(self, *, force: bool, resume: bool) -> list[list[str]]:
        """Write the header where it is missing; the rows that the file has already.

        Raises:
            CspanalyzeError: the file is there and must not be, is another one, or cannot be written.
        """
        header = _line(self.fields)
        if self.path is None:
            sys.stdout.write(header)
            return []
        if self.path.suffix != ".csv":
            raise UsageError(f"--csv {self.path} has another suffix than .csv")
        check_writable(self.path, force or resume)
        if not (resume and self.path.exists()):
            replace_file(self.path, header)
            return []
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a row that a crash of the machine cut short is done again
        rows = list(csv.reader(io.StringIO(whole)))
        if not rows or tuple(rows[0]) != self.fields:
            raise UsageError(
                f"{self.path} was not written by this version of `sweep`: leave out --resume, or name another file"
            )
        if whole != text:
            replace_file(self.path, whole)
        return rows[1:]

    def append(self, texts: Sequence[str]) -> None:
        """Add a row in one write, so that the file ends with a whole row at any moment.

        Raises:
            OutputError: it cannot be written.
        """
        if self.path is None:
            sys.stdout.write(_line(texts))
            sys.stdout.flush()
            return
        with _refusing(self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(handle, _line(texts).encode())
            finally:
                os.close(handle)

    def rewrite(self, rows: Iterable[Sequence[str]]) -> None:
        """Put all rows in place of those that are there, at once.

        Raises:
            OutputError: it cannot be written.
        """
        if self.path is not None:
            with _refusing(self.path):
                replace_file(self.path, "".join(map(_line, [self.fields, *rows])))


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _line(fields: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()
