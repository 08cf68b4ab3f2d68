"""Writing files: checked before any work, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from cspanalyze.errors import OutputError


def check_writable(path: Path, force: bool, hint: str = "give --force") -> None:
    """Refuse a file that cannot be written, before any work; `hint` says how to overwrite one.

    Raises:
        OutputError: it exists and must not be overwritten, or cannot be made.
    """
    if os.path.lexists(path) and not path.is_file():
        raise OutputError(f"cannot write {path}: it is no regular file")
    if path.exists() and not force:
        raise OutputError(f"{path} exists: {hint} to overwrite it")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}")
    try:
        # Permission bits do not tell for every user and file system; making a file does.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror or error}") from error


def write_file(path: Path, content: str | bytes) -> None:
    """Put the content there, whole.

    Raises:
        OutputError: it cannot be written; what was there before is there still.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


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
