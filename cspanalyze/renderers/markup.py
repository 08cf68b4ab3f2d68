"""Document -> Markdown or LaTeX."""

from __future__ import annotations

from cspanalyze.renderers.grid import Column, Document, Grid, Line
from cspanalyze.renderers.style import Style

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "✓": "$=$", "✗": r"$\neq$", "·": r"$\cdot$",
        "²": "$^2$", "Σ": r"$\Sigma$", "<": "$<$", ">": "$>$",
    }
)  # fmt: skip


def render_markdown(document: Document, style: Style) -> str:
    """A heading, GitHub tables, the remarks as a list, the sentences as paragraphs."""
    parts = [f"# {_escaped(document.title)}"]
    for grid in document.grids:
        if grid.title:
            parts.append(f"## {_escaped(grid.title)}")
        parts.append(_markdown_table(grid))
    if document.remarks:
        parts.append("\n".join(f"- {_escaped(remark)}" for remark in document.remarks))
    parts += [_escaped(sentence) for sentence in document.sentences]
    return "\n\n".join(parts) + "\n"


def _markdown_table(grid: Grid) -> str:
    columns = (*grid.labels, *grid.columns)
    rows = [[_titled(column) for column in columns]]
    rows.append([":---" if column.align == "left" else "---:" for column in columns])
    # Spaces at the beginning of a field are lost.
    rows += [["&emsp;" * line.depth + first, *others] for line in grid.lines for first, *others in [_escaped_of(line)]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _escaped_of(line: Line) -> list[str]:
    return [_escaped(text) for text in _fields(line)]


def _titled(column: Column) -> str:
    return f"{column.title} [{column.unit}]" if column.unit else column.title


def _fields(line: Line) -> list[str]:
    return [*line.labels, *(cell.text for cell in line.cells)]


def _escaped(text: str) -> str:
    """Signs that Markdown would take for markup: a bar ends a field, stars and underscores begin emphasis."""
    for sign in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(sign, f"\\{sign}")
    return text


def render_latex(document: Document, style: Style) -> str:
    """One `tabular` for each table (package booktabs), with title, remarks and sentences around them."""
    parts = [r"% needs \usepackage{booktabs}", rf"\paragraph{{{_tex(document.title)}}}"]
    for grid in document.grids:
        if grid.title:
            parts.append(rf"\paragraph{{{_tex(grid.title)}}}")
        parts.append(_latex_table(grid))
    if document.remarks:
        items = "\n".join(rf"\item {_tex(remark)}" for remark in document.remarks)
        parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}")
    parts += [_tex(sentence) for sentence in document.sentences]
    return "\n\n".join(parts) + "\n"


def _latex_table(grid: Grid) -> str:
    columns = (*grid.labels, *grid.columns)
    lines = [rf"\begin{{tabular}}{{{''.join('l' if c.align == 'left' else 'r' for c in columns)}}}", r"\toprule"]
    lines.append(" & ".join(_tex(column.title) for column in columns) + r" \\")
    if any(column.unit for column in columns):
        lines.append(" & ".join(_tex(column.unit) for column in columns) + r" \\")
    lines.append(r"\midrule")
    for number, block in enumerate(grid.blocks):
        if block.total and number:
            lines.append(r"\midrule")
        lines += [r"\quad " * line.depth + " & ".join(map(_tex, _fields(line))) + r" \\" for line in block.lines]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _tex(text: str) -> str:
    return text.translate(_LATEX)
