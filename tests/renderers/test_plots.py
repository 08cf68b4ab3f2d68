"""Plots: the figures of the record are what is drawn, every series has a second cue, names stay names."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from browser import needs_browser, visit

from cspanalyze.errors import UsageError
from cspanalyze.hardware import Profile
from cspanalyze.renderers import Style
from cspanalyze.renderers.barchart import render_bars
from cspanalyze.renderers.html import Page, Section, render_page
from cspanalyze.renderers.plots import embedded, plot_page
from cspanalyze.renderers.plots.bars import bars
from cspanalyze.renderers.plots.depth import depth
from cspanalyze.renderers.plots.kinds import capacity_plot, pareto_plot, roofline_plot
from cspanalyze.renderers.plots.look import CUES, fit_title
from cspanalyze.renderers.plots.modules import icicle, treemap
from cspanalyze.renderers.plots.points import Point, front
from cspanalyze.results import Comparison, Curve, Report, Result, Row


@pytest.fixture
def tree(base: Report) -> Report:
    """Modules of three levels: MACs 2 + 3 in a, 5 in b of which one call of a shared module each makes 1 and 4."""
    groups = {"a.x": 2, "a.y": 3, "b.z": 1, "b.z#2": 4, "quiet": 0}
    rows = tuple(Row(path, "conv2d", value) for path, value in groups.items())
    return Report(base.subject, tuple(groups), (Result("macs", "MAC", "trace", rows, 10),))


def test_bars_are_the_figures_of_the_record(comparison: Comparison) -> None:
    drawn = bars(comparison, "cio")
    assert [list(trace.y) for trace in drawn.data] == [[4_000, 8_000_000, 0], [4_000, 8_400_000, 0]]
    assert list(drawn.data[0].x) == ["stem", "stage1", "head"]
    assert list(drawn.data[1].text) == ["", "+5.0 %", ""]  # 8.4 / 8 = 1.05
    assert drawn.layout.title.text == "CIO of tiny and tiny CSP"


def test_every_series_has_its_own_colour_and_its_own_second_cue(comparison: Comparison) -> None:
    for cues in zip(*[(cue.colour, cue.pattern, cue.marker, cue.dash) for cue in CUES], strict=True):
        assert len(set(cues)) == len(CUES)
    drawn = bars(comparison, "macs")
    assert drawn.data[0].marker.pattern.shape != drawn.data[1].marker.pattern.shape
    drawn = depth(comparison, "macs")
    assert drawn.data[0].marker.symbol != drawn.data[2].marker.symbol
    assert drawn.data[1].line.dash != drawn.data[3].line.dash


def test_depth_adds_up_to_the_total(tree: Report) -> None:
    drawn = depth(tree)
    assert list(drawn.data[0].y) == [2, 3, 1, 4]  # what costs nothing is no layer of the plot
    assert list(drawn.data[1].y) == list(accumulate([2, 3, 1, 4]))
    assert drawn.data[1].y[-1] == tree.result("macs").total


@pytest.mark.parametrize("draw", [icicle, treemap])
def test_every_box_is_as_large_as_what_is_in_it(tree: Report, draw: object) -> None:
    trace = draw(tree).data[0]  # type: ignore[operator]
    sizes = dict(zip(trace.ids, trace.values, strict=True))
    assert sizes == {
        "network": 10,
        "network/a": 5,
        "network/a/x": 2,
        "network/a/y": 3,
        "network/b": 5,
        "network/b/z": 5,
    }
    for box in sizes:
        parts = [sizes[inner] for inner, outer in zip(trace.ids, trace.parents, strict=True) if outer == box]
        assert not parts or sum(parts) == sizes[box]


def test_what_is_no_sum_has_no_tree_and_no_depth(comparison: Comparison) -> None:
    for draw in (icicle, depth):
        with pytest.raises(UsageError, match="do not add up"):
            draw(comparison, "moc_min")
    with pytest.raises(UsageError, match="it has macs, params"):
        bars(comparison, "speed")


def test_the_front_is_what_no_other_beats() -> None:
    points = [
        Point("a", 1, 9),
        Point("b", 2, 5),
        Point("c", 3, 5),
        Point("d", 4, 1),
        Point("e", 5, 2),
        Point("f", 2, 8),
    ]
    assert [point.name for point in front(points)] == ["a", "b", "d"]


def test_rows_of_a_sweep_without_a_figure_are_left_out() -> None:
    rows = [
        {"model": "good", "macs": "10", "cio": "20"},
        {"model": "failed", "macs": "", "cio": "", "error": "boom"},
        {"model": "worse", "macs": "11", "cio": "21"},
    ]
    drawn = pareto_plot(rows, "macs", "cio")
    assert [list(trace.x) for trace in drawn.data] == [[11], [10]]
    assert [drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text] == ["MACs", "CIO [elements]"]
    with pytest.raises(UsageError, match="no column 'speed': it has model, macs, cio"):
        pareto_plot(rows, "macs", "speed")
    with pytest.raises(UsageError, match="no row"):
        pareto_plot(rows[1:2], "macs", "cio")


def test_designs_are_told_apart_in_the_names_on_a_front() -> None:
    base = {"model": "resnet18", "variant": "base", "macs": "20", "cio": "10"}
    twin = {**base, "variant": "CSP", "preset": "paper", "fusion": "last", "inner": "keep", "gamma": "0.5", "macs": "9"}
    assert pareto_plot([base, twin], "macs", "cio").data[1].text == ("CSP paper last 0.5",)
    both = pareto_plot([base, {**twin, "model": "resnet34"}], "macs", "cio")
    assert both.data[1].text == ("resnet34 CSP paper last 0.5",)
    # 9 and 20 are within half a decade: 10 and 20 alone would be few ticks.
    assert [both.layout.xaxis.dtick, pareto_plot([base, {**base, "macs": "90"}], "macs", "cio").layout.xaxis.dtick] == [
        "D1",
        "D2",
    ]


def test_a_layer_under_the_roof_is_as_fast_as_memory_or_arithmetic_lets_it(base: Report) -> None:
    """Peak 100 FLOP/s, 10 B/s: the ridge is at 10 FLOP/B. 2 x 20 MACs on 6 + 2 bytes: 5 FLOP/B, at 5 x 10 = 50 FLOP/s.
    2 x 300 on 20: 30 FLOP/B, at 100. What moves bytes without MACs is no point."""

    def metric(name: str, *values: int) -> Result:
        rows = tuple(Row(group, "", value) for group, value in zip("abc", values, strict=True))
        return Result(name, "", "cache-model", rows, sum(values))

    results = (metric("macs", 20, 300, 0), metric("traffic_bytes", 6, 20, 5), metric("write_back_bytes", 2, 0, 1))
    profile = Profile("machine", 10.0, 100.0, None, 1024)
    drawn = roofline_plot(Report(base.subject, ("a", "b", "c"), results), profile)
    roof, layers = drawn.data
    assert list(layers.x) == [5, 30]
    assert list(layers.y) == [50, 100]
    assert list(roof.x)[1] == 10
    assert [("memory" in text, "compute" in text) for text in layers.hovertext] == [(True, False), (False, True)]
    with pytest.raises(UsageError, match="the profile none knows no peak"):
        roofline_plot(
            Report(base.subject, ("a", "b", "c"), results), replace(profile, name="none", peak_fp32_flops=None)
        )


def test_capacity_is_drawn_in_binary_units(base: Report) -> None:
    points = ((65536, 900), (98304, 700), (1 << 17, 600), (1 << 18, 500))
    curve = Curve("traffic_bytes", "bytes", "on-chip capacity", "bytes", "cache-model", points)
    drawn = capacity_plot(replace(base, curves=(curve,)))
    assert list(drawn.data[0].y) == [900, 700, 600, 500]
    assert list(drawn.layout.xaxis.ticktext) == ["64 KiB", "256 KiB"]
    assert "at 96 KiB" in drawn.data[0].hovertext[1]
    with pytest.raises(UsageError, match="no traffic against capacity"):
        capacity_plot(base)


def test_bars_in_a_terminal(comparison: Comparison) -> None:
    """20 columns for the longest bar of 8.4 M: 8 M take 19.05 of them, in eighths 19 and none; 4 k one eighth."""
    text = render_bars(comparison, "cio", Style(width=50))
    lines = text.splitlines()
    assert lines[0] == "CIO trace [elements] of tiny, input 1x3x32x32:float32"
    assert max(map(len, lines[2:])) == 50
    assert lines[4].startswith("stage1  base  8.000 M")
    assert lines[5].split()[:3] == ["CSP", "8.400", "M"]
    assert lines[5].count("█") > lines[4].count("█") > 15
    assert lines[2].endswith("▏")
    assert lines[-2:] == ["total base: 8.004 M", "total CSP: 8.404 M (+5.0 %)"]
    assert "\x1b[" in render_bars(comparison, "cio", Style(width=50, colour=True))
    assert render_bars(comparison, "cio", Style(width=50, unicode=False)).isascii()


def test_a_name_is_no_markup(base: Report) -> None:
    hostile = replace(base, subject=replace(base.subject, name="</script><b>x</b>"))
    drawn = bars(hostile, "macs")
    assert drawn.data[0].name == "&lt;/script&gt;&lt;b&gt;x&lt;/b&gt;"
    assert "</script><b>" not in plot_page(drawn, "A caption.", ("</script><b>",))


@needs_browser
def test_a_browser_draws_the_plot_without_a_network(comparison: Comparison, tmp_path: Path) -> None:
    page = plot_page(bars(comparison, "macs"), "A caption.", ("a remark",))
    assert len(page) < 2_200_000
    found = visit(page, tmp_path, "return [document.querySelectorAll('.bars .point').length, Plotly.version];")
    assert found.console == []
    assert found.found[0] == 6  # three groups, two networks


@needs_browser
def test_a_title_is_broken_where_the_page_is_narrow(comparison: Comparison, tmp_path: Path) -> None:
    drawn = bars(comparison, "macs")
    drawn.layout.title.text = "one two three four five six seven eight nine ten"
    found = visit(
        render_page(Page("A page", (), (Section("", plots=(embedded(drawn, ""),)),))),
        tmp_path,
        """
  const lines = () => document.querySelectorAll(".gtitle tspan").length;
  const wide = lines();
  document.querySelector(".plot").style.width = "340px";
  document.querySelector("#theme").click();
  return [wide, lines()];
""",
    )
    assert found.console == []
    assert found.found == [0, 2]  # 48 signs; a phone shows 340 - 90 pixels of 9 each


def test_layers_of_two_networks_are_two_lists_of_the_largest(base: Report) -> None:
    def network(names: list[str]) -> Report:
        rows = tuple(Row(name, "conv2d", number) for number, name in enumerate(names))
        return Report(base.subject, tuple(names), (Result("macs", "MAC", "trace", rows, sum(range(len(names)))),))

    drawn = bars(Comparison(network([f"a{n}" for n in range(50)]), (network([f"b{n}" for n in range(20)]),)), "macs")
    assert list(drawn.data[0].x) == list(range(10, 50))  # 40 of 50, in the order in which they run
    assert list(drawn.data[1].x) == list(range(1, 20))  # the first costs nothing
    assert drawn.layout.title.text.endswith("the 40 largest")


def test_a_long_title_is_broken(comparison: Comparison) -> None:
    drawn = bars(comparison, "macs")
    fit_title(drawn, 900)
    assert "<br>" not in drawn.layout.title.text
    drawn.layout.title.text = "MACs against depth, densenet121, densenet121 CSP and densenet121 control"
    fit_title(drawn, 480)
    assert max(len(line) for line in drawn.layout.title.text.split("<br>")) <= 43  # (480 - 90) / 9 pixels a sign
