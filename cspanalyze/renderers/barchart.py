"""Bars in a terminal: one metric, a bar for every network in every group."""

from __future__ import annotations

from collections.abc import Iterator

from cspanalyze.renderers.columns import heading, unit
from cspanalyze.renderers.figures import aligned, change, figure
from cspanalyze.renderers.style import Style, to_ascii
from cspanalyze.renderers.tabulation import figure_of, groups_of, label, reports
from cspanalyze.results import Number, Record

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_CODES = ("34", "33", "36", "35", "32", "31")  # the order of the colours of plots, as far as terminals have them
_NARROWEST = 10


def render_bars(record: Record, metric: str, style: Style) -> str:
    """The bars as text, as wide as the style allows. The longest bar is the largest figure of all."""
    found = reports(record)
    names = [report.subject.variant or (report.subject.name if index else "base") for index, report in enumerate(found)]
    rows = [
        (label(group), names[index] if len(found) > 1 else "", figure_of(report.result(metric), group), index, group)
        for group in groups_of(record)
        for index, report in enumerate(found)
        if group in report.groups
    ]
    figures = aligned([figure(value) for _, _, value, _, _ in rows])
    base = found[0]
    changes = [
        change(figure_of(base.result(metric), group), value) if index and group in base.groups else ""
        for _, _, value, index, group in rows
    ]
    widths = [
        max(map(len, column), default=0) for column in ([r[0] for r in rows], [r[1] for r in rows], figures, changes)
    ]
    room = max(_NARROWEST, style.width - sum(widths) - 2 * sum(width > 0 for width in widths))
    most = max((value for _, _, value, _, _ in rows if value), default=1)
    lines = [_headline(record, metric), ""]
    before = None
    for (group, name, value, index, _), text, moved in zip(rows, figures, changes, strict=True):
        bar = _bar(value, most, room)
        painted = f"\x1b[{_CODES[index % len(_CODES)]}m{bar}\x1b[0m" if style.colour and bar.strip() else bar
        fields = [
            (group if group != before else "").ljust(widths[0]), name.ljust(widths[1]), text.rjust(widths[2]),
            moved.rjust(widths[3]),
        ]  # fmt: skip
        kept = [field for field, width in zip(fields, widths, strict=True) if width]
        lines.append("  ".join([*kept, painted]).rstrip())
        before = group
    text = "\n".join([*lines, "", *_totals(record, metric, names)]) + "\n"
    return text if style.unicode else to_ascii(text)


def _headline(record: Record, metric: str) -> str:
    subject, printed = reports(record)[0].subject, unit(reports(record)[0].result(metric))
    of = f" [{printed}]" if printed else ""
    inputs = f", input {', '.join(subject.inputs)}" if subject.inputs else ""
    return f"{heading(metric).title}{of} of {subject.name}{inputs}"


def _totals(record: Record, metric: str, names: list[str]) -> Iterator[str]:
    found = reports(record)
    whole = found[0].result(metric).total
    for name, report in zip(names, found, strict=True):
        total = report.result(metric).total
        moved = "" if report is found[0] else f" ({change(whole, total)})"
        yield f"{'total' if len(found) == 1 else f'total {name}'}: {figure(total)}{moved}"


def _bar(value: Number, most: int | float, room: int) -> str:
    """A bar in eighths of a character, at least one for anything above 0."""
    if not value:
        return ""
    eighths = max(1, round(8 * room * value / most))
    return _EIGHTHS[8] * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
