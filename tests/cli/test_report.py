"""`report`: one page with everything, that opens anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import needs_browser, visit

from cspanalyze.pipeline.studying import study
from cspanalyze.study import dumps, from_json


def test_the_page_and_its_record_are_the_same(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cspanalyze", "report", "resnet18", "--csp"])
    assert run("report", "resnet18", "--csp", "-o", "one.html").code == 0
    assert run("report", "resnet18", "--csp", "-o", "one.json").code == 0
    assert run("render", "one.json", "-o", "two.html").code == 0
    page = (folder / "one.html").read_bytes()
    assert page == (folder / "two.html").read_bytes()
    assert len(page) < 4_000_000
    text = page.decode()
    for title in (
        "Stages",
        "Partial stages",
        "Architecture",
        "Memory",
        "Modules",
        "Modules of resnet18 CSP",
        "Gradients",
        "Method",
    ):
        assert f"<h2>{title}</h2>" in text
    assert "made by: cspanalyze report resnet18 --csp" in text
    assert "cspanalyze 0.1.0, torch 2." in text
    assert "CSP at gamma 0.5 lowers MACs by" in text
    assert text.count('id="plotly"') == 1


@needs_browser
def test_the_page_draws_every_plot_without_a_network(run: Any, folder: Path) -> None:
    run("report", "resnet18", "--csp", "-o", "one.html")
    script = """
      const drawn = [...document.querySelectorAll(".plot")].map((plot) => !!plot.querySelector("svg.main-svg"));
      document.querySelector("#theme").click();
      return [drawn, document.querySelectorAll("tbody").length > 80, performance.getEntriesByType("resource").length];
    """
    found = visit((folder / "one.html").read_text(encoding="utf-8"), folder, script)
    assert found.console == []
    assert found.found == [[True] * 11, True, 0]


def test_several_networks_stand_beside_the_first(run: Any, folder: Path) -> None:
    """Parameters: 11,689,512 of ResNet-18 and 21,797,672 of ResNet-34, so 86.5 % more."""
    assert run("report", "resnet18", "resnet34", "-o", "two.json").code == 0
    made = from_json(json.loads((folder / "two.json").read_text()))
    assert made.stages.sentences[2].startswith("Beside resnet18, resnet34 has higher MACs by ")
    assert "parameters by 86.5 %" in made.stages.sentences[2]
    assert made.stages.alignments[0].differences
    assert [record.network for record in made.gradients] == ["resnet18", "resnet34"]
    assert (made.gammas, made.stages.changes) == ((), ())


def test_a_study_is_the_same_through_json() -> None:
    from cspanalyze.pipeline import Csp

    made = study(["resnet18"], Csp(gamma=0.3), "a command", (0.5,))
    assert from_json(json.loads(dumps(made))) == made
    assert [point.gamma for point in made.gammas] == [0.3, 0.5]
    assert made.gammas[0].total("macs") == made.stages.variants[0].result("macs").total
    assert made.modules.base.result("macs").total == made.stages.base.result("macs").total


def test_what_cannot_be_reported_is_refused(run: Any, folder: Path) -> None:
    outcome = run("report", "resnet18", "resnet34", "--csp")
    assert (outcome.code, outcome.err) == (
        2,
        "error: --csp compares one network with its twin, and 2 are named\n",
    )
    assert run("report", "resnet18", "--gamma", "0.5").code == 2
    assert run("report", "resnet18", "-o", "x.png").code == 2
    assert not (folder / "report.html").exists()
