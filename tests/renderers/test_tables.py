"""Tables against golden files, and what must hold in them whatever they look like.

`GOLDEN=write python -m pytest tests/renderers` writes the files anew: read the difference before keeping it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cspanalyze.renderers import Style, render
from cspanalyze.results import Comparison, Record, Report

GOLDEN = Path(__file__).parent / "golden"
PREFIX = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
Check = Callable[[str, str], None]


@pytest.fixture
def check() -> Check:
    def compare(name: str, text: str) -> None:
        if os.environ.get("GOLDEN") == "write":
            (GOLDEN / name).write_text(text, encoding="utf-8")
        assert text == (GOLDEN / name).read_text(encoding="utf-8")

    return compare


@pytest.mark.parametrize("width", [60, 80, 120])
def test_comparison(comparison: Comparison, check: Check, width: int) -> None:
    text = render(comparison, "table", Style(width=width))
    check(f"comparison_{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width


def test_comparison_in_colour(comparison: Comparison, check: Check) -> None:
    text = render(comparison, "table", Style(width=80, colour=True))
    check("comparison_80_colour.txt", text)
    bare = re.sub(r"\x1b\[\d+m", "", text).replace("─", "-")
    plain = render(comparison, "table", Style(width=80))
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()


def test_report(base: Report, check: Check) -> None:
    check("report_100.txt", render(base, "table", Style(width=100)))


@pytest.mark.parametrize(("format", "suffix"), [("markdown", "md"), ("latex", "tex"), ("csv", "csv"), ("json", "json")])
def test_files(comparison: Comparison, check: Check, format: str, suffix: str) -> None:
    check(f"comparison.{suffix}", render(comparison, format, Style()))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 300])
@pytest.mark.parametrize("kind", ["base", "comparison"])
def test_no_figure_is_lost_at_any_width(request: pytest.FixtureRequest, kind: str, width: int) -> None:
    record: Record = request.getfixturevalue(kind)
    wide = render(record, "table", Style(width=1000))
    narrow = render(record, "table", Style(width=width))
    for figure in re.findall(r"\d+\.\d{3} [kMG]|[+-]\d+\.\d %", wide):
        assert narrow.count(figure) >= 1
    assert sorted(re.findall(r"\d+\.\d{3} [kMG]", narrow)) == sorted(re.findall(r"\d+\.\d{3} [kMG]", wide))


def test_columns_of_the_printed_table_sum_to_their_totals(base: Report) -> None:
    """Read back from the text, so that a row that is dropped or printed twice shows."""
    lines = render(base, "table", Style(width=200)).splitlines()
    body = [line for line in lines if line.split()[:1] in ([group] for group in ("stem", "stage1", "head", "total"))]
    fields = [[field for field in re.split(r"\s{2,}", line) if not re.search(r"[%█▏▎▍▌▋▊▉]", field)] for line in body]
    columns = [[_read(figure) for figure in each[1:4]] for each in fields]
    assert len(columns) == 4
    for position in range(2):  # MACs, params
        *parts, total = (column[position] for column in columns)
        assert sum(parts) == pytest.approx(total, rel=2e-3)


def _read(text: str) -> float:
    number, _, prefix = text.partition(" ")
    return float("nan") if number in ("-", "✓") else float(number) * PREFIX[prefix]


def test_equality_is_shown_as_it_is(comparison: Comparison) -> None:
    text = render(comparison, "table", Style(width=200))
    (stem,) = (line for line in text.splitlines() if line.startswith("stem"))
    (head,) = (line for line in text.splitlines() if line.startswith("head"))
    (twin,) = (line for line in text.splitlines() if line.startswith("        CSP") and "1.500 M" in line)
    assert "✓" in stem
    assert "no closed form" in head
    assert "✗" in twin


def test_an_encoding_without_the_signs_gets_plain_ones(comparison: Comparison) -> None:
    text = render(comparison, "table", Style(width=200, unicode=False))
    assert text.isascii()
    (twin,) = (line for line in text.splitlines() if line.startswith("        CSP") and "1.500 M" in line)
    assert "!=" in twin


def test_what_the_totals_leave_out_is_said(comparison: Comparison) -> None:
    text = render(comparison, "table", Style(width=200))
    assert "no formula for aten.mystery, run 3x in head.fc: not in MACs" in text
    assert "no formula for aten.mystery of CSP, run 3x in head.fc: not in MACs" in text


def test_a_group_that_only_the_twin_has_comes_behind_its_predecessor(comparison: Comparison) -> None:
    twin = comparison.variants[0]
    grown = replace(comparison, variants=(replace(twin, groups=("stem", "split", "stage1", "head")),))
    text = render(grown, "csv", Style())
    assert ",CSP,built in,1x3x32x32:float32,eval,group,split,macs,0," in text
    labels = re.findall(r"^(\S+)  +(?:base|both)", render(grown, "table", Style(width=200)), flags=re.M)
    assert labels == ["stem", "split", "stage1", "head", "total"]
