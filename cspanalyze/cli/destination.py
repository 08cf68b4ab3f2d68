"""Where the output goes: decided and checked before any work, and written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cspanalyze.cli.options import OutputOptions
from cspanalyze.errors import OutputError, UsageError
from cspanalyze.renderers import Style, format_of_suffix

_DEFAULT_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Destination:
    """A format, and the file to write; None for standard output."""

    format: str
    path: Path | None

    @property
    def style(self) -> Style:
        """How text may look there: plain in a file, a pipe, or where NO_COLOR is set."""
        if self.path is not None:
            return Style(width=_width(terminal=False))
        terminal = sys.stdout.isatty()
        return Style(
            width=_width(terminal),
            colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
            unicode=_holds_unicode(sys.stdout.encoding),
        )

    def write(self, content: str | bytes) -> None:
        """Write the output; bytes only into a file.

        Raises:
            OutputError: it cannot be written.
        """
        if self.path is None:
            text = content if isinstance(content, str) else content.decode()
            if isinstance(sys.stdout, io.TextIOWrapper) and not self.style.unicode:
                sys.stdout.reconfigure(errors="replace")  # a name or a sign that the encoding lacks is shown as ?
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        try:
            replace_file(self.path, content)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
        print(f"wrote {self.path}", file=sys.stderr)


def destination(options: OutputOptions, named: Callable[[str], str] = format_of_suffix) -> Destination:
    """Where the options send the output; `named` gives the format that a suffix stands for.

    Raises:
        UsageError: the formats contradict each other, or the suffix stands for none.
        OutputError: the file exists and --force is not given, or it cannot be written.
    """
    asked = options.format
    if not options.output:
        if options.force:
            raise UsageError("--force overwrites a file: name it with -o FILE")
        return Destination(asked or "table", None)
    path = Path(options.output)
    if not path.suffix:
        raise UsageError(f"-o {path} has no suffix: it picks the format, like -o {path}.json")
    found = named(path.suffix)
    if asked and asked != found:
        raise UsageError(f"--{asked} and -o {path} contradict each other: the suffix {path.suffix} stands for {found}")
    check_writable(path, options.force)
    return Destination(found, path)


def check_writable(path: Path, force: bool) -> None:
    """Refuse a file that cannot be written, before any work.

    Raises:
        OutputError: it exists and must not be overwritten, or cannot be made.
    """
    if os.path.lexists(path) and not path.is_file():
        raise OutputError(f"cannot write {path}: it is no regular file")
    if path.exists() and not force:
        raise OutputError(f"{path} exists: give --force to overwrite it")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}")
    try:
        # Permission bits do not tell for every user and file system; making a file does.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror or error}") from error


def replace_file(path: Path, content: str | bytes) -> None:
    """Put the content into a temporary file beside `path`, and move it there: nobody ever sees half of it."""
    target = path.resolve()  # through a symbolic link, so that the link stays one
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those that a new one gets (mkstemp lets only the owner read)."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _width(terminal: bool) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    if terminal:
        with contextlib.suppress(OSError):
            return os.get_terminal_size(sys.stdout.fileno()).columns or _DEFAULT_WIDTH
    return _DEFAULT_WIDTH


def _holds_unicode(encoding: str | None) -> bool:
    try:
        "✓✗·²Σ─".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
