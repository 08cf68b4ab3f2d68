"""Writing files: checked before any work, and written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
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


def write_file(path: Path, content: str | bytes, *, force: bool, hint: str = "give --force") -> None:
    """Put the content there, whole; without `force` only where there is no file, also none made since it was checked.

    Raises:
        OutputError: it cannot be written; what was there before is there still.
    """
    try:
        replace_file(path, content, force=force)
    except FileExistsError as error:
        raise OutputError(f"{path} was made by another process meanwhile: {hint} to overwrite it") from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def replace_file(path: Path, content: str | bytes, *, force: bool = True) -> None:
    """Put the content into a temporary file beside `path`, and move it there: nobody ever sees half of it.

    Raises:
        FileExistsError: there is a file, and `force` is not given.
        OSError: it cannot be written.
    """
    target = path.resolve()  # through a symbolic link, so that the link stays one
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        _place(name, target, force)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _place(name: str, target: Path, force: bool) -> None:
    if not force:
        try:
            os.link(name, target)  # unlike a move, refused where there is a file
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "it exists", str(target)) from None
        else:
            os.unlink(name)
            return
    os.replace(name, target)


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those that a new one gets (mkstemp lets only the owner read)."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
