"""Document -> text for a terminal or a plain file.

Written out here rather than with rich: importing rich takes longer than tracing a ResNet-50.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cspanalyze.renderers.figures import aligned
from cspanalyze.renderers.grid import Align, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.panels import Panel, panels
from cspanalyze.renderers.style import Style, to_ascii

_GAP = 2
_WORDS = 24
"""Room that a column of words asks for; it takes what is left of the line and wraps."""
_NO_BREAK = "\N{NO-BREAK SPACE}"
_INDENT = 2
_BAR = 10
_BLOCKS = " ▏▎▍▌▋▊▉█"
_PIECES = re.compile(r"[^./_:-]+[./_:-]*|[./_:-]+")
_CODES = {"": "", "better": "32", "worse": "31", "faint": "2", "bold": "1"}


def render_table(document: Document, style: Style) -> str:
    """The whole document as text; no line is wider than `style.width` unless a single word or number is."""
    parts = [_paragraph(document.title, style, "bold")]
    for grid in document.grids:
        parts.append("")
        if grid.title:
            parts.append(_paragraph(grid.title, style, "bold"))
        drawn = _drawn(_fitting(grid, style.width))
        for number, panel in enumerate(_split(drawn, style.width)):
            parts += ([""] if number else []) + list(_panel(drawn, panel, style))
    if document.remarks:
        parts += ["", *(_paragraph(remark, style, "faint") for remark in document.remarks)]
    if document.sentences:
        parts += ["", *(_paragraph(sentence, style, "", hanging="") for sentence in document.sentences)]
    text = "\n".join(parts) + "\n"
    return text if style.unicode else to_ascii(text)


def _paint(text: str, code: str, style: Style) -> str:
    return f"\x1b[{_CODES[code]}m{text}\x1b[0m" if style.colour and _CODES[code] and text.strip() else text


def _paragraph(text: str, style: Style, code: str, hanging: str = "  ") -> str:
    kept = text.replace(" %", f"{_NO_BREAK}%")  # a line must not begin with the sign
    lines = textwrap.wrap(kept, style.width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return "\n".join(_paint(line.replace(_NO_BREAK, " "), code, style) for line in lines)


def _fitting(grid: Grid, width: int) -> Grid:
    """The grid without its dispensable columns, if it takes more panels with them."""
    kept = [index for index, column in enumerate(grid.columns) if not column.dispensable]
    blocks = tuple(
        replace(block, lines=tuple(replace(line, cells=tuple(line.cells[i] for i in kept)) for line in block.lines))
        for block in grid.blocks
    )
    bare = replace(grid, columns=tuple(grid.columns[index] for index in kept), blocks=blocks)
    return bare if len(_split(bare, width)) < len(_split(_drawn(grid), width)) else grid


def _drawn(grid: Grid) -> Grid:
    """The grid with bars before the texts of shares, and labels as far to the right as they are inside a tree."""

    def line(old: Line) -> Line:
        cells = [cell if cell.share is None else replace(cell, text=_bar(cell), share=None) for cell in old.cells]
        first, *others = old.labels
        return Line((" " * _INDENT * old.depth + first, *others), tuple(cells), old.depth)

    blocks = tuple(replace(block, lines=tuple(map(line, block.lines))) for block in grid.blocks)
    return replace(grid, blocks=blocks)


def _bar(cell: Cell) -> str:
    """A bar in eighths of a character, at least one for anything above 0, and the text behind it."""
    share = min(max(cell.share or 0.0, 0.0), 1.0)
    eighths = max(round(share * _BAR * 8), 1 if share else 0)
    full, part = divmod(eighths, 8)
    bar = _BLOCKS[8] * full + (_BLOCKS[part] if part else "")
    return f"{bar.ljust(_BAR)} {cell.text.rjust(len('100.0 %'))}"


def _split(grid: Grid, width: int) -> list[Panel]:
    taken = sum(width + _GAP for width in _label_widths(grid, width)) - _GAP
    return panels(grid.columns, [_asked(grid, index) for index in range(len(grid.columns))], width - taken, _GAP)


def _label_widths(grid: Grid, width: int) -> list[int]:
    """Labels take what they need, up to half of a line between them: the longest ones wrap."""
    columns = range(len(grid.labels))
    needed = [max([len(grid.labels[at].title), *(len(line.labels[at]) for line in grid.lines)]) for at in columns]
    return [min(needed[0], max(12, width // 2 - sum(needed[1:]))), *needed[1:]]


def _needed(grid: Grid, index: int) -> int:
    column = grid.columns[index]
    return max(map(len, [*column.title.split(), column.unit, *_texts(grid, index)]))


def _asked(grid: Grid, index: int) -> int:
    needed = _needed(grid, index)
    return needed if grid.columns[index].align == "right" else min(needed, _WORDS)


def _texts(grid: Grid, index: int) -> list[str]:
    texts = [line.cells[index].text for line in grid.lines]
    return aligned(texts) if grid.columns[index].align == "right" else texts


def _headers(columns: Sequence[Column]) -> Iterator[tuple[str, ...]]:
    """The lines over some columns: titles with one word per line, which end on the same line, then any units."""
    words = [column.title.split() for column in columns]
    tallest = max(map(len, words))
    yield from zip(*([*[""] * (tallest - len(each)), *each] for each in words), strict=True)
    if any(column.unit for column in columns):
        yield tuple(column.unit for column in columns)


def _panel(grid: Grid, panel: Panel, style: Style) -> Iterator[str]:
    """The lines of some columns beside the labels: header, rule, rows, and a rule above the total."""
    columns = [*grid.labels, *(grid.columns[index] for index in panel)]
    widths = [*_label_widths(grid, style.width), *(_asked(grid, index) for index in panel)]
    spare = style.width - sum(widths) - _GAP * (len(widths) - 1)
    for at, index in enumerate(panel, len(grid.labels)):  # words that would wrap take what the numbers leave
        extra = min(max(spare, 0), _needed(grid, index) - widths[at])
        widths[at], spare = widths[at] + extra, spare - extra
    rule = ("─" if style.colour and style.unicode else "-") * (sum(widths) + _GAP * (len(widths) - 1))
    aligns = [column.align for column in columns]
    for line in _headers(columns):
        yield _row(line, widths, aligns, ["bold"] * len(line), style)
    yield rule
    texts = {index: _texts(grid, index) for index in panel}
    row = 0
    for block in grid.blocks:
        if block.total and row:
            yield rule
        for entry in block.lines:
            codes = [
                "" if entry.depth else "bold",
                *[""] * (len(grid.labels) - 1),
                *(entry.cells[index].tone for index in panel),
            ]
            yield from _wrapped([*entry.labels, *(texts[index][row] for index in panel)], widths, aligns, codes, style)
            row += 1


def _wrapped(
    fields: Sequence[str], widths: Sequence[int], aligns: Sequence[Align], codes: Sequence[str], style: Style
) -> Iterator[str]:
    """One row; more lines where words or a label need them."""
    folded = [
        _fold(text, width) if align == "left" else [text]
        for text, width, align in zip(fields, widths, aligns, strict=True)
    ]
    for at in range(max(map(len, folded))):
        yield _row([lines[at] if at < len(lines) else "" for lines in folded], widths, aligns, codes, style)


def _fold(text: str, width: int) -> list[str]:
    """The text in lines of at most `width`, which begin where its first one does.

    A word that is longer than a line, like the path of a module, is broken behind its dots or other signs.
    """
    if len(text) <= width:
        return [text]
    indent = " " * min(len(text) - len(text.lstrip(" ")), width // 2)
    room = width - len(indent)
    words = [piece for word in text.split() for piece in _broken(word, room)]
    return textwrap.wrap(
        " ".join(words), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _broken(word: str, room: int) -> list[str]:
    """The word, or pieces of it that each fill a line."""
    pieces = [""]
    for piece in _PIECES.findall(word) if len(word) > room else [word]:
        if pieces[-1] and len(pieces[-1]) + len(piece) > room:
            pieces.append("")
        pieces[-1] += piece
    return pieces


def _row(
    fields: Sequence[str], widths: Sequence[int], aligns: Sequence[Align], codes: Sequence[str], style: Style
) -> str:
    padded = [
        text.rjust(width) if align == "right" else text.ljust(width)
        for text, width, align in zip(fields, widths, aligns, strict=True)
    ]
    if not style.colour:
        return (" " * _GAP).join(padded).rstrip()
    return (" " * _GAP).join(_paint(text, code, style) for text, code in zip(padded, codes, strict=True)).rstrip()
