"""Pages: one file, no network, names that are only shown; tables that sort in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from browser import needs_browser, visit

from cspanalyze.renderers import Layout, Style, render
from cspanalyze.renderers.html import Page, Section, render_page
from cspanalyze.renderers.html.page import Drawing
from cspanalyze.results import Comparison, Report, Result, Row

HOSTILE = "<script>window.hacked=1</script>&amp;"


class _Reader(HTMLParser):
    """Checks that tags are closed in order, and collects addresses and the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "table" in self.open and self.open[-1] not in ("table", "thead", "tbody", "tr"):
            self.rows[-1][-1] += data


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_a_page_holds_what_the_markdown_holds(comparison: Comparison) -> None:
    reader = _read(render(comparison, "html", Style()))
    cells = [[text.strip() for text in row] for row in reader.rows]
    markdown = [
        [field.strip().replace("\\", "") for field in line.strip("|").split("|")]
        for line in render(comparison, "markdown", Style()).splitlines()
        if line.startswith("| ") and ":--" not in line
    ]
    assert len(cells) == len(markdown)
    for row, line in zip(cells, markdown, strict=True):
        assert row == line or "MACs" in row[2] or row[0] == "stage"  # units stand below the titles
    assert all(re.match(r"data:|#", address) for address in reader.addresses)


def test_exact_numbers_stand_behind_the_rounded_ones(base: Report) -> None:
    page = render(base, "html", Style())
    assert 'title="1,234,567,890">1.235 <b>G</b>' in page
    assert page.count("<tbody") == len(base.groups) + 1


def test_names_are_shown_and_not_run(base: Report) -> None:
    rows = tuple(replace(each, rows=tuple(replace(row, module=HOSTILE) for row in each.rows)) for each in base.results)
    subject = replace(base.subject, name=HOSTILE, notes=(HOSTILE,))
    page = render(Report(subject, (HOSTILE,), rows), "html", Style())
    assert "<script>window" not in page
    assert "&lt;script&gt;window.hacked=1&lt;/script&gt;&amp;amp;" in page
    _read(page)


CLICK = """
  const column = (name) => [...document.querySelectorAll("th")].find((th) => th.textContent.startsWith(name));
  const names = () => [...document.querySelectorAll("table tbody")].map((body) => body.rows[0].cells[0].textContent);
  const orders = [names()];
  for (let click = 0; click < 3; click++) {
    column("MACs").querySelector("button").click();
    orders.push([column("MACs").getAttribute("aria-sort"), ...names()]);
  }
  return orders;
"""


@needs_browser
def test_a_click_sorts_by_what_the_figures_are(base: Report, tmp_path: Path) -> None:
    """MACs 1,000 and 2,000,000 and 40,500: `1.000 k`, `2.000 M` and `40.500 k` would sort otherwise as text."""
    found = visit(render(base, "html", Style()), tmp_path, CLICK)
    assert found.console == []
    assert found.found == [
        ["stem", "stage1", "head", "total"],
        ["descending", "stage1", "head", "stem", "total"],
        ["ascending", "stem", "head", "stage1", "total"],
        [None, "stem", "stage1", "head", "total"],
    ]


FOLD = """
  const shown = () => [...document.querySelectorAll("tbody")].filter((body) => !body.hidden)
    .map((body) => body.rows[0].cells[0].textContent);
  const states = [shown()];
  document.querySelector(".fold").click();
  states.push(shown());
  document.querySelector("thead th:nth-child(2) button").click();
  states.push([...document.querySelectorAll("tbody")].map((body) => body.rows[0].cells[0].textContent));
  document.querySelector("#theme").click();
  states.push([document.documentElement.dataset.theme, window.hacked ?? "safe"]);
  return states;
"""


@needs_browser
def test_a_tree_folds_and_sorts_within_its_branches(base: Report, tmp_path: Path) -> None:
    """Branch a holds 5 = 2 + 3 and b holds 4: sorted from the largest a comes first, and in it its second part."""
    rows = tuple(Row(path, "", value) for path, value in (("b", 4), ("a.x", 2), ("a.y", 3)))
    report = Report(base.subject, ("b", "a.x", "a.y"), (Result("params", "elements", "trace", rows, 9),))
    found = visit(render(report, "html", Style(), Layout(tree=True)), tmp_path, FOLD)
    assert found.console == []
    unfolded, folded, ordered, last = found.found
    assert unfolded == ["b", "a", "x", "y", "total"]
    assert folded == ["b", "a", "total"]
    assert ordered == ["a", "y", "x", "b", "total"]
    assert last == ["dark", "safe"]


def test_a_drawing_is_an_image_in_which_nothing_runs() -> None:
    drawing = Drawing("<b>", '<svg xmlns="http://www.w3.org/2000/svg"><script>window.hacked=1</script></svg>')
    page = render_page(Page("title", (), (Section("Architecture", drawings=(drawing,)),)))
    assert "hacked" not in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert 'alt="&lt;b&gt;"' in page
