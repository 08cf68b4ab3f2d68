"""A CSV file that grows by a row as soon as it is there, and can be gone on with."""

from __future__ import annotations

import csv
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cspanalyze.errors import OutputError, UsageError
from cspanalyze.files import check_writable, write_file

try:
    import fcntl
except ImportError:  # Windows: two sweeps into one file are not told apart there
    fcntl = None  # type: ignore[assignment]

_HELD: dict[Path, int] = {}
"""Handles whose locks keep other processes away; the system frees them when this process ends."""


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
        there = self.path.exists()
        if there:
            _take(self.path)
        if not (resume and there):
            write_file(self.path, header, force=force)
            _take(self.path)
            return []
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a row that a crash of the machine cut short is done again
        rows = list(csv.reader(io.StringIO(whole)))
        if not rows or tuple(rows[0]) != self.fields:
            raise UsageError(
                f"{self.path} was not written by this version of `sweep`: leave out --resume, or name another file"
            )
        if whole != text:
            write_file(self.path, whole, force=True)
            _take(self.path)
        return rows[1:]

    def append(self, texts: Sequence[str]) -> None:
        """Add a row in one write, so that the file ends with a whole row at any moment, also where the disk gets full.

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
                length, row = os.fstat(handle).st_size, _line(texts).encode()
                written = os.write(handle, row)
                if written < len(row):
                    os.ftruncate(handle, length)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(handle)

    def rewrite(self, rows: Iterable[Sequence[str]]) -> None:
        """Put all rows in place of those that are there, at once.

        Raises:
            OutputError: it cannot be written.
        """
        if self.path is not None:
            write_file(self.path, "".join(map(_line, [self.fields, *rows])), force=True)


def _take(path: Path) -> None:
    """Keep other sweeps away from the file until this process ends, in whichever way.

    Raises:
        OutputError: another process has it.
    """
    if fcntl is None:
        return
    earlier = _HELD.pop(path.resolve(), None)
    if earlier is not None:
        os.close(earlier)
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise OutputError(f"another process is writing {path}: wait for it, or name another file") from error
        return  # a file system without locks
    _HELD[path.resolve()] = handle


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
