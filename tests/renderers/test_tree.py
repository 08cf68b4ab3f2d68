"""Module trees: sums, folding, ranking, shares and coverage."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspanalyze.renderers import Layout, Style, render
from cspanalyze.renderers.arrangement import report_grid
from cspanalyze.renderers.tree import SELF, branches
from cspanalyze.results import Number, Report, Result, Row, Subject, Uncovered

GOLDEN = Path(__file__).parent / "golden"
TREE = Layout(tree=True)
# Three equal blocks between two that differ; the first module also does something itself, and so does the network.
MODULES = {
    "stem": (100, 7),
    "": (0, 5),
    "body": (10, 3),
    **{f"body.{i}.{name}": (macs, 2) for i in range(5) for name, macs in (("conv", 200 if i else 260), ("act", 0))},
    "body.4.conv": (140, 2),
    "head": (30, 40),
}


def report(modules: dict[str, tuple[int, int]], **more: object) -> Report:
    """A report by module, with a sum and a peak."""
    macs = tuple(Row(module, "conv2d", first) for module, (first, _) in modules.items())
    peak = tuple(Row(module, "", second) for module, (_, second) in modules.items())
    results = (
        Result("macs", "MAC", "trace", macs, sum(row.value or 0 for row in macs)),
        Result("peak_bytes", "bytes", "trace", peak, max(second for _, second in modules.values()), additive=False),
    )
    subject = Subject("net", "built in", ("1x3x8x8:float32",), "eval", "meta")
    return Report(subject, tuple(modules), results + tuple(more.values()))  # type: ignore[arg-type]


def rows(made: Report, layout: Layout = TREE) -> dict[str, list[str]]:
    """Label -> texts of the cells."""
    return {
        "  " * line.depth + line.labels[0]: [c.text for c in line.cells] for line in report_grid(made, layout).lines
    }


def test_a_tree(request: pytest.FixtureRequest) -> None:
    text = render(report(MODULES), "table", Style(width=80), TREE)
    path = GOLDEN / "tree_80.txt"
    assert text == path.read_text(encoding="utf-8")


def test_a_parent_is_the_sum_of_its_children_and_itself() -> None:
    shown = rows(report(MODULES), Layout(tree=True, fold=False))
    # 10 itself + 260 + 3 x 200 + 140
    assert shown["body"] == ["1.010 k", "88.6 %", "3"]
    assert shown["  (self)"] == ["10", "0.9 %", "3"]
    assert shown["  1"] == ["200", "17.5 %", "2"]
    assert shown["total"] == ["1.140 k", "100.0 %", "40"]


def test_equal_neighbours_are_one_row_with_the_figures_of_all() -> None:
    shown = rows(report(MODULES))
    assert shown["  1-3  x3"] == ["600", "52.6 %", "2"]
    assert shown["    conv"][0] in ("260", "600", "140")
    assert [name for name in shown if name.startswith("  ") and not name.startswith("    ")] == [
        "  0", "  1-3  x3", "  4", "  (self)",
    ]  # fmt: skip
    assert "xN = N modules with equal figures" in render(report(MODULES), "table", Style(width=200), TREE)


def test_neighbours_that_differ_below_are_not_folded() -> None:
    inside = {"a.0.x": (1, 1), "a.0.y": (2, 1), "a.1.x": (2, 1), "a.1.y": (1, 1), "b.norm": (0, 1), "b.drop": (0, 1)}
    assert not any(re.search(r"  x\d", name) for name in rows(report(inside)))


def test_named_blocks_are_folded_too() -> None:
    blocks = {f"block_{name}.conv": (5, 1) for name in "abc"}
    assert rows(report(blocks))["block_a ... block_c  x3"] == ["15", "100.0 %", "1"]


def test_a_peak_is_the_largest_of_the_parts_and_never_a_sum() -> None:
    shown = rows(report({"a.0": (1, 5), "a.1": (2, 9)}))
    assert shown["a"] == ["3", "100.0 %", "9"]


def test_what_is_unknown_below_is_unknown_above() -> None:
    made = report({"a.0": (1, 5), "a.1": (2, 9)})
    gap = tuple(Row("a.1", "", None) if row.module == "a.1" else row for row in made.result("macs").rows)
    holed = replace(made, results=(replace(made.result("macs"), rows=gap, total=None), made.result("peak_bytes")))
    assert rows(holed)["a"][0] == "-"


def test_a_sum_that_is_not_the_total_is_refused() -> None:
    made = report(MODULES)
    wrong = replace(made, results=(replace(made.result("macs"), total=1), made.result("peak_bytes")))
    with pytest.raises(AssertionError, match="macs"):
        report_grid(wrong, TREE)


NAMES = st.lists(st.sampled_from(["0", "1", "2", "a", "b"]), min_size=0, max_size=4).map(".".join)


@given(st.dictionaries(NAMES, st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25), st.booleans())
def test_sums_hold_on_every_level_of_any_tree(modules: dict[str, tuple[int, int]], fold: bool) -> None:
    made = report(modules)
    grown = branches(made, made.results[:1], fold=fold)
    assert sum(branch.figures[0] or 0 for branch in grown) == made.result("macs").total
    leaves: list[Number] = []
    for outermost in grown:
        for _, branch in outermost.walk():
            if branch.children:
                assert branch.figures[0] == sum(child.figures[0] or 0 for child in branch.children)
            else:
                leaves.append(branch.figures[0])
    assert sum(leaf or 0 for leaf in leaves) == made.result("macs").total
    assert all(branch.name != SELF for branch in grown)


def test_files_for_machines_are_not_folded() -> None:
    made = report(MODULES)
    for format in ("json", "csv"):
        assert render(made, format, Style(), TREE) == render(made, format, Style())
    assert render(made, "csv", Style(), TREE).count("body.2.conv") == 2


def test_markup_keeps_the_indentation() -> None:
    made = report(MODULES)
    assert "| &emsp;1-3  x3 | 600 | 52.6 % | 2 |" in render(made, "markdown", Style(), TREE)
    assert r"\quad 1-3  x3 & 600 & 52.6 \% & 2 \\" in render(made, "latex", Style(), TREE)


def test_the_largest_rows_and_the_rest_in_one() -> None:
    shown = rows(report(MODULES), Layout(tree=True, top=2))
    assert list(shown) == ["body.0.conv", "body.1.conv", "12 others", "total"]
    assert shown["12 others"] == ["680", "59.6 %", "40"]
    assert list(rows(report({"a": (1, 1), "b": (2, 1)}), Layout(top=1))) == ["b", "a", "total"]


def test_shares_are_drawn_to_the_eighth() -> None:
    made = report({"half": (500, 1), "most": (375, 1), "tiny": (1, 1), "none": (0, 1), "rest": (124, 1)})
    text = render(made, "table", Style(width=80))
    bars = dict(re.findall(r"^(\w+) +\S+(?: k)? +([█▏▎▍▌▋▊▉]*) +(?:\d|<)", text, flags=re.M))
    assert bars == {"half": "█████", "most": "███▊", "tiny": "▏", "none": "", "rest": "█▎", "total": "█" * 10}
    assert "< 0.1 %" in render(report({"a": (1, 1), "b": (10_000, 1)}), "table", Style())
    plain = render(made, "table", Style(width=80, unicode=False))
    assert plain.isascii()
    assert re.search(r"^half +500 +#{5} +50\.0 %", plain, flags=re.M)


def test_shares_go_where_there_is_no_room_and_no_figure_does() -> None:
    made = report(MODULES)
    narrow = render(made, "table", Style(width=40), TREE)
    assert "share" in render(made, "table", Style(width=60), TREE)
    assert "share" not in narrow
    assert narrow.count("1.140 k") == 1


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ((), "100 % of 2,000 operations have a formula"),
        (
            (Uncovered("aten.a", 1, ("x",)), Uncovered("aten.b", 2, ("y",))),
            "3 of 2,000 operations have no formula: aten.a, aten.b; 99.8 % have one",
        ),
        ((Uncovered("aten.a", 1, ("x",)),), "1 of 2,000 operations have no formula: aten.a; 99.9 % have one"),
    ],
)
def test_coverage_is_said_in_one_line(missing: tuple[Uncovered, ...], sentence: str) -> None:
    counted = Result("operations", "operations", "trace", (Row("stem", "", 2_000),), 2_000, missing)
    text = render(report(MODULES, counted=counted), "table", Style(width=200))
    assert sentence in text.splitlines()
    assert " 2,000 " not in text.splitlines()[2]


def test_names_are_broken_behind_signs() -> None:
    from cspanalyze.renderers.table import _fold

    assert _fold("features.denseblock1.denselayer12.conv2", 22) == ["features.denseblock1.", "denselayer12.conv2"]
    assert _fold("  plots as .svg and .pdf", 16) == ["  plots as .svg", "  and .pdf"]
    assert all(len(line) <= 8 for line in _fold("averyveryverylongname", 8))
