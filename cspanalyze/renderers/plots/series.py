"""What every plot needs of a record: its networks by name, their figures, and the words beside an axis."""

from __future__ import annotations

from cspanalyze.errors import UsageError
from cspanalyze.renderers.columns import heading, unit
from cspanalyze.renderers.layout import main_metric, shown
from cspanalyze.renderers.tabulation import reports
from cspanalyze.results import Record, Report, Result

_SI_UNITS = {"elements": "elements", "B": "bytes"}


def metric_of(record: Record, asked: str = "") -> str:
    """The metric asked for, or the one by which tables rank.

    Raises:
        UsageError: the record does not hold it, or none that is a sum.
    """
    base = reports(record)[0]
    known = [result.metric for result in shown(base)]
    if asked and asked not in known:
        raise UsageError(f"the record has no figure {asked!r}: it has {', '.join(known)}")
    main = main_metric(base)
    if not asked and main is None:
        raise UsageError(f"{base.subject.name} has no figure that could be drawn")
    return asked or (main.metric if main else "")


def result_of(report: Report, metric: str) -> Result:
    """The result of a metric.

    Raises:
        UsageError: this network has none, though another has.
    """
    if metric not in report.metrics:
        raise UsageError(f"{name_of(report)} has no figure {metric!r}: it has {', '.join(report.metrics)}")
    return report.result(metric)


def name_of(report: Report) -> str:
    """The network as a legend names it."""
    subject = report.subject
    return f"{subject.name} {subject.variant}" if subject.variant else subject.name


def names_of(record: Record) -> str:
    """The networks as a title names them."""
    names = [name_of(report) for report in reports(record)]
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def title_of(metric: str) -> str:
    """The metric as a title names it."""
    return heading(metric).title.removesuffix(" trace")  # a table tells it from the formula beside it


def axis_title(result: Result) -> str:
    """The metric with its unit."""
    return with_unit(title_of(result.metric), unit(result))


def with_unit(title: str, printed: str) -> str:
    """The title and the unit, unless the title says it."""
    return f"{title} [{_SI_UNITS.get(printed, printed)}]" if printed and printed != title.rstrip("s") else title
