"""Where the output goes: decided and checked before any work, and written whole or not at all."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cspanalyze.cli.options import OutputOptions
from cspanalyze.cli.session import note
from cspanalyze.errors import UsageError
from cspanalyze.files import check_writable, write_file
from cspanalyze.renderers import Style, format_of_suffix
from cspanalyze.renderers.style import holds_unicode, line_width


@dataclass(frozen=True, slots=True)
class Destination:
    """A format, and the file to write; None for standard output. `force` overwrites a file that is there."""

    format: str
    path: Path | None
    force: bool = False

    @property
    def style(self) -> Style:
        """How text may look there: plain in a file, a pipe, or where NO_COLOR is set."""
        if self.path is not None:
            return Style(width=line_width(terminal=False))
        terminal = sys.stdout.isatty()
        return Style(
            width=line_width(terminal),
            colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
            unicode=holds_unicode(sys.stdout.encoding),
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
        write_file(self.path, content, force=self.force)
        note(f"wrote {self.path}")


def destination(options: OutputOptions, named: Callable[[str], str] = format_of_suffix) -> Destination:
    """Where the options send the output; `named` gives the format that a suffix stands for.

    Raises:
        UsageError: the formats contradict each other, or the suffix stands for none.
        OutputError: the file exists and --force is not given, or it cannot be written.
    """
    asked = options.format
    if options.output in ("", "-"):
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
    return Destination(found, path, options.force)
