"""Darknet's network file as text: `[section]` lines with `key=value` lines under them -> frozen records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from cspanalyze.darknet.limits import MAX_FILE_BYTES, MAX_LAYERS, MAX_QUOTED
from cspanalyze.errors import SourceError

BACKBONE = "backbone"
"""What a comment calls the layers that belong to no other part."""
_PART = re.compile(r"#\s*part:\s*(stem|backbone|neck|head)")


@dataclass(frozen=True, slots=True)
class Option:
    """One `key=value`, and the line of the file that it stands on (0: it never was in a file; equality ignores it)."""

    key: str
    value: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Section:
    """One `[name]` with its options in order, and the line that it begins on.

    `part` is what a comment above it says of it and of those that follow: `# part: stem`, `backbone`, `neck` or `head`;
    "" is the backbone. Darknet itself knows no such parts, and skips the comment.
    """

    name: str
    options: tuple[Option, ...] = ()
    line: int = field(default=0, compare=False)
    part: str = ""

    def find(self, key: str) -> Option | None:
        """The first option of that name, which is the one that Darknet uses when a key is repeated."""
        return next((option for option in self.options if option.key == key), None)


def quoted(text: str) -> str:
    """A piece of the file as it may stand in an error message: printable, on one line, not long."""
    shown = ascii(text)
    return shown if len(shown) <= MAX_QUOTED else f"{shown[:MAX_QUOTED]}..."


def read_file(path: str | Path) -> tuple[Section, ...]:
    """The sections of a file, unread: names and keys are not looked at.

    Raises:
        SourceError: there is no such file, it cannot be read, or it is no network file.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise SourceError(f"there is no file {file}")
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise SourceError(f"{file} cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise SourceError(f"{file} is larger than the {MAX_FILE_BYTES:,} bytes that a network file may have")
    return read_bytes(data, str(file))


def read_bytes(data: bytes, name: str) -> tuple[Section, ...]:
    """The sections of the content of a file; `name` is what errors call it.

    Raises:
        SourceError: it is no text, or no network file.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Comments of old files are in any 8-bit encoding; what matters in them is ASCII.
        text = data.decode("latin-1")
    if "\0" in text:
        raise SourceError(f"{name} is no network file but binary data: expected lines like [net] and width=416")
    return read_text(text, name)


def read_text(text: str, name: str) -> tuple[Section, ...]:
    """The sections of a text. White space counts for nothing; `#` and `;` begin a comment.

    Raises:
        SourceError: a line is neither a section nor an option of one, or there are too many sections.
    """
    sections: list[Section] = []
    title, start, options, part, named = "", 0, list[Option](), "", ""
    # Not splitlines(), which also divides at characters that no editor counts as the end of a line.
    for number, raw in enumerate(text.split("\n"), start=1):
        line = _bare(raw)
        if line.startswith("["):
            if start:
                sections.append(Section(title, tuple(options), start, part))
            if len(sections) > MAX_LAYERS:
                raise SourceError(f"{name}, line {number}: more than the {MAX_LAYERS:,} layers that a network may have")
            title, start, options, part = _title(line, name, number), number, [], named
        elif line:
            key, equals, value = line.partition("=")
            if not (start and key and equals):
                expected = "key=value" if start else "[net] first"
                raise SourceError(f"{name}, line {number}: {quoted(raw.strip())} cannot be read, expected {expected}")
            options.append(Option(key, value, number))
        elif comment := _PART.fullmatch(raw.strip()):
            named = "" if comment[1] == BACKBONE else comment[1]
    if not start:
        raise SourceError(f"{name} has no sections: expected [net] and the layers under it")
    return (*sections, Section(title, tuple(options), start, part))


def _bare(line: str) -> str:
    """Without comment and white space: Darknet itself drops every blank, also within `layers = -1, -4`."""
    stripped = line.strip()
    if stripped.startswith(";"):
        return ""
    return "".join(stripped.partition("#")[0].split())


def _title(line: str, name: str, number: int) -> str:
    if not line.endswith("]") or len(line) < 3:
        raise SourceError(f"{name}, line {number}: {quoted(line)} is no section, expected a name like [convolutional]")
    return line[1:-1]
