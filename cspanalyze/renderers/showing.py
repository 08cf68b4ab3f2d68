"""What `print`, notebooks and `.save` show of a record: the formats of the command line, chosen for them.

The methods of records (`cspanalyze.showing`) load this module by its name.
"""

from __future__ import annotations

import os
import sys
from os import PathLike
from pathlib import Path

from cspanalyze.files import check_writable, write_file
from cspanalyze.renderers import FRAGMENT, Layout
from cspanalyze.renderers.layout import PLAIN
from cspanalyze.renderers.pictures import picture_format
from cspanalyze.renderers.saved import Showable, render_saved
from cspanalyze.renderers.style import Style, holds_unicode, line_width
from cspanalyze.renderers.tabulation import groups_of, reports
from cspanalyze.results import Comparison, Report
from cspanalyze.study import Study


def text(record: Showable) -> str:
    """The table, as wide as the terminal is."""
    terminal = sys.stdout.isatty()
    return _text(render_saved(record, "table", Style(line_width(terminal), unicode=_unicode()), _layout(record)))


def fragment(record: Showable) -> str:
    """The tables and sentences as HTML for a notebook."""
    return _text(render_saved(record, FRAGMENT, Style(), _layout(record)))


def in_short(record: Showable, kind: str) -> str:
    """One line that says what the record holds."""
    if isinstance(record, Study):
        record = record.stages
    if isinstance(record, Report | Comparison):
        names = [" ".join(filter(None, (each.subject.name, each.subject.variant))) for each in reports(record)]
        return f"<{kind} of {', '.join(names)}: {', '.join(reports(record)[0].metrics)}>"
    title = text(record).partition("\n")[0]
    return f"<{kind}: {title}>"


def save(record: Showable, path: str | PathLike[str], *, force: bool = False) -> None:
    """Write the record in the format that the suffix stands for.

    Raises:
        CspanalyzeError: it stands for none, or the file cannot be written.
    """
    file = Path(os.fspath(path)).expanduser()
    format = picture_format(file.suffix)
    check_writable(file, force, "give force=True")
    write_file(file, render_saved(record, format, Style(), _layout(record)), force=force, hint="give force=True")


def _layout(record: object) -> Layout:
    """Rows that lie inside each other are nested."""
    if not isinstance(record, Report):
        return PLAIN
    groups = set(groups_of(record))
    return Layout(tree=any(group.rpartition(".")[0] in groups for group in groups if "." in group))


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()


def _unicode() -> bool:
    # A notebook's or an editor's stream may name no encoding; their text is Unicode.
    return sys.stdout is None or getattr(sys.stdout, "encoding", None) is None or holds_unicode(sys.stdout.encoding)
