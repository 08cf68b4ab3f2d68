"""Markdown, LaTeX and CSV as other programs read them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from cspanalyze.renderers import Style, render
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.markup import render_latex, render_markdown
from cspanalyze.results import Comparison, Report

BLOCK = Block((Line(("p|q",), (Cell("<1>"),)),))
NASTY = Document("a_b & 100 %", (Grid((Column("x|y", align="left"),), (Column("z", "B"),), (BLOCK,)),), ("c*d",))


def test_markdown_tables_have_equally_many_fields(comparison: Comparison) -> None:
    tables = [line for line in render(comparison, "markdown", Style()).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables[:10]}) == 1


def test_markup_signs_are_escaped() -> None:
    assert "| p\\|q | \\<1> |" in render_markdown(NASTY, Style())
    assert "a\\_b" in render_markdown(NASTY, Style())
    latex = render_latex(NASTY, Style())
    assert r"a\_b \& 100 \%" in latex
    assert r"$<$1$>$ \\" in latex


def test_csv_is_tidy_and_complete(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(render(comparison, "csv", Style()))))
    reports = (comparison.base, *comparison.variants)
    assert len(rows) == sum(len(report.results) * (len(report.groups) + 1) for report in reports)
    for report in reports:
        for result in report.results:
            own = [r for r in rows if r["metric"] == result.metric and r["variant"] == report.subject.variant]
            values = {row["group"]: row["value"] for row in own if row["scope"] == "group"}
            (total,) = [row["value"] for row in own if row["scope"] == "total"]
            assert total == ("" if result.total is None else str(result.total))
            if result.additive and result.total is not None:
                assert sum(int(value) for value in values.values()) == result.total
            assert {row["unit"] for row in own} == {result.unit}
            assert {row["method"] for row in own} == {result.method}


def test_a_module_called_total_is_not_the_total(base: Report) -> None:
    renamed = replace(
        base,
        groups=tuple("total" if group == "head" else group for group in base.groups),
        results=tuple(
            replace(
                r, rows=tuple(replace(row, module="total" if row.module == "head" else row.module) for row in r.rows)
            )
            for r in base.results
        ),
    )
    found = [row for row in csv.DictReader(io.StringIO(render(renamed, "csv", Style()))) if row["metric"] == "macs"]
    own, whole = ([row["value"] for row in found if row["scope"] == scope][-1] for scope in ("group", "total"))
    assert own == str(base.result("macs").of("head"))
    assert whole == str(base.result("macs").total)
    assert own != whole
