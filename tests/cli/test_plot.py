"""`plot`: every kind, from a network, a saved record or a sweep, to a page, a picture or a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from browser import needs_browser

KINDS = [
    ("resnet18", "--csp", "--kind", "bars", "--metric", "cio"),
    ("resnet18", "--kind", "bars", "--by", "layer"),
    ("resnet18", "--kind", "bars", "--metric", "traffic_bytes", "--profile", "a100"),
    ("resnet18", "--csp", "--kind", "depth"),
    ("resnet18", "--kind", "icicle", "--metric", "params"),
    ("resnet18", "--csp", "--kind", "treemap"),
    ("resnet18", "--csp", "--kind", "roofline", "--profile", "a100"),
    ("resnet18", "--kind", "capacity"),
    ("resnet18", "--csp", "--kind", "gamma"),
    ("resnet18", "--csp", "--kind", "overlap"),
    ("resnet18", "--kind", "raster"),
    ("resnet18", "--kind", "readers"),
    ("sweep.csv", "--kind", "pareto", "--x", "params", "--y", "macs"),
]
SWEEP = "model,params,macs\na,10,30\nb,20,20\nc,30,25\n"


@pytest.mark.parametrize("arguments", KINDS)
def test_every_kind_is_a_page(run: Any, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "sweep.csv").write_text(SWEEP)
    outcome = run("plot", *arguments, "-o", "plot.html")
    assert (outcome.code, outcome.err) == (0, "wrote plot.html\n")
    page = (folder / "plot.html").read_text(encoding="utf-8")
    assert page.count('<div class="plot"') == 1
    assert "What is counted" in page


@needs_browser
@pytest.mark.parametrize(("name", "magic"), [("x.png", b"\x89PNG"), ("x.svg", b"<svg"), ("x.pdf", b"%PDF")])
def test_pictures(run: Any, folder: Path, name: str, magic: bytes) -> None:
    (folder / "sweep.csv").write_text(SWEEP)
    assert run("plot", "sweep.csv", "--kind", "pareto", "--x", "params", "--y", "macs", "-o", name).code == 0
    assert (folder / name).read_bytes().startswith(magic)


def test_bars_in_the_terminal_and_figures_in_files(run: Any, folder: Path) -> None:
    outcome = run("plot", "resnet18", "--csp", "--metric", "cio")
    assert outcome.out.startswith("CIO trace [elements] of resnet18, input 1x3x224x224:float32\n\nstem")
    assert "█" in outcome.out
    assert run("plot", "resnet18", "--json", "--metric", "cio").out == run_json(run)


@pytest.mark.parametrize("wrapped", [False, True])
def test_rows_of_a_sweep_are_told_by_content(folder: Path, wrapped: bool) -> None:
    from cspanalyze.saved import read_rows

    (folder / "sweep.csv").write_text(SWEEP)
    rows = [{"model": m, "params": p, "macs": q} for m, p, q in (("a", 10, 30), ("b", 20, 20), ("c", 30, 25))]
    (folder / "sweep.json").write_text(json.dumps({"schema": 1, "rows": rows} if wrapped else rows))
    assert read_rows(folder / "sweep.json") == read_rows(folder / "sweep.csv")


def run_json(run: Any) -> str:
    from cspanalyze.pipeline import analyze
    from cspanalyze.results import dumps

    return dumps(analyze("resnet18", metrics=("cio",)))


def test_a_saved_report_is_drawn_again(run: Any, folder: Path) -> None:
    run("report", "resnet18", "--csp", "-o", "report.json")
    for kind in ("bars", "icicle", "depth", "gamma", "overlap"):
        assert run("plot", "report.json", "--kind", kind, "-o", f"{kind}.html").code == 0
    run("cio", "resnet18", "-o", "run.json")
    outcome = run("plot", "run.json", "--kind", "overlap", "-o", "x.html")
    assert outcome.err == "error: run.json holds no gradient records, which kind overlap draws\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--kind", "gamma"], "--kind gamma draws the CSP twin: add --csp to ask for one"),
        (["--kind", "raster"], "--kind raster has no form in text: name a file, -o FILE.html"),
        (["--kind", "pareto"], "--kind pareto draws the rows of a sweep: give its FILE.csv or FILE.json"),
        (["--kind", "roofline", "--profile", "edge_npu"], "the profile edge_npu_1mb knows no peak or no bandwidth"),
        (["--profile", "a100"], "--profile names the hardware of a roofline or a cache: add --kind roofline"),
        (["--x", "macs"], "--x and --y choose columns of a sweep: add --kind pareto"),
        (["--metric", "speed"], "unknown metric 'speed'; known are"),
        (["-o", "x.gif"], "no format has the suffix '.gif': known are .txt, .json, .csv, .md, .markdown, .tex, .html"),
        (["--kind", "depth", "--metric", "moc_min"], "MoC min of layers do not add up to that of the network"),
    ],
)
def test_what_cannot_be_drawn_is_refused(run: Any, folder: Path, arguments: list[str], sentence: str) -> None:
    more = [] if "-o" in arguments or "raster" in arguments else ["-o", "x.html"]
    outcome = run("plot", "resnet18", *arguments, *more)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"error: {sentence}")
    assert not list(folder.glob("x.*"))


def test_without_kaleido_or_browser_one_sentence_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cspanalyze.renderers.plots import static

    monkeypatch.setattr(static, "browser", lambda: None)
    outcome = run("plot", "resnet18", "-o", "x.png")
    assert outcome.code == 2
    assert outcome.err == (
        "error: pictures of plots need Chrome or Chromium, and none is found: write FILE.html instead, which needs "
        "neither\n"
    )
    monkeypatch.setitem(sys.modules, "kaleido", None)
    monkeypatch.setattr(static, "find_spec", lambda name: None)
    assert "need kaleido (pip install 'cspanalyze[static]')" in run("plot", "resnet18", "-o", "x.png").err
