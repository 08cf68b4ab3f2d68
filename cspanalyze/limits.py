"""Limits on the figures of a network beside those of a baseline, and whether they hold. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cspanalyze.errors import UsageError
from cspanalyze.json_form import plain, structured
from cspanalyze.results import SCHEMA_VERSION, Number, Report
from cspanalyze.showing import Shown

_NOTATION = re.compile(r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d+)?|\.\d+) ?(?P<unit>%|[kMGT]?)")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_EXPECTED = "expected METRIC=+2% or METRIC=+1M (more than the baseline has), or METRIC=5G (in all)"


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a metric may be: `+2%` or `+1M` more than the baseline has, `-10%` less, or `5G` whatever it has."""

    metric: str
    text: str

    def most(self, base: Number) -> Fraction | None:
        """The largest figure that is allowed; None if that depends on a baseline that is unknown. Exact."""
        found = _NOTATION.fullmatch(self.text)
        assert found is not None
        amount = Fraction(found["number"]) * (-1 if found["sign"] == "-" else 1)
        if not found["sign"]:
            return amount * _UNITS[found["unit"]]
        if base is None:
            return None
        before = Fraction(base)
        return before * (1 + amount / 100) if found["unit"] == "%" else before + amount * _UNITS[found["unit"]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit: the baseline's figure, the figure now, and whether it is within the limit."""

    metric: str
    unit: str
    limit: str
    baseline: Number
    now: Number
    kept: bool


@dataclass(frozen=True, slots=True, repr=False)
class Check(Shown):
    """A network beside its baseline: `verdicts` for every limit, and both reports, to show where it grew."""

    verdicts: tuple[Verdict, ...]
    baseline: Report
    now: Report

    @property
    def kept(self) -> bool:
        """Whether every limit is kept."""
        return all(verdict.kept for verdict in self.verdicts)

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The limits that are not kept."""
        return tuple(verdict for verdict in self.verdicts if not verdict.kept)


def parse_limit(text: str) -> Limit:
    """Read one `--max`.

    Raises:
        UsageError: it is not in the notation.
    """
    metric, equals, amount = (part.strip() for part in text.partition("="))
    found = _NOTATION.fullmatch(amount)
    if not (metric and equals and found) or (found["unit"] == "%" and not found["sign"]):
        raise UsageError(f"the limit {text!r} cannot be read: {_EXPECTED}")
    return Limit(metric, amount)


def judged(baseline: Report, now: Report, limits: tuple[Limit, ...]) -> Check:
    """Every limit with what the two reports say.

    Raises:
        UsageError: a report has no total of a metric.
    """
    verdicts = []
    for limit in limits:
        before, after = _total(baseline, limit.metric, "the baseline"), _total(now, limit.metric, "the network")
        most = limit.most(before)
        kept = most is not None and after is not None and Fraction(after) <= most
        verdicts.append(Verdict(limit.metric, now.result(limit.metric).unit, limit.text, before, after, kept))
    return Check(tuple(verdicts), baseline, now)


def _total(report: Report, metric: str, whose: str) -> Number:
    if metric not in report.metrics:
        raise UsageError(f"{whose} has no figure {metric!r}: it has {', '.join(report.metrics)}")
    total = report.result(metric).total
    if total is None:
        raise UsageError(f"{whose} has no total of {metric}: it cannot be limited")
    return total


def check_to_json(check: Check) -> dict[str, Any]:
    """JSON-ready data, with `"kind": "check"`."""
    return {"schema": SCHEMA_VERSION, "kind": "check", "kept": check.kept, **plain(check)}


def check_from_json(data: Mapping[str, Any]) -> Check:
    """Inverse of `check_to_json`.

    Raises:
        UsageError: the data is no such record.
    """
    body = {key: value for key, value in data.items() if key not in ("schema", "kind", "kept")}
    return structured(body, Check, "this is no check of a baseline")
