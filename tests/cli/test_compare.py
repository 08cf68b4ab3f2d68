"""`cspanalyze compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from cspanalyze.results import Comparison, from_json
from cspanalyze.schema import run_schema


def test_table(run: Any) -> None:
    text = run("compare", "resnet18", "resnet34", "resnet18").out
    lines = text.splitlines()
    assert lines[0].startswith("resnet18 beside resnet34 and resnet18, input 1x3x224x224")
    assert "Layers of resnet34 that are not those of resnet18 (" in text
    assert "Layers of resnet18" not in text
    # Two further blocks in stage 2 are four 3x3 of 128 channels.
    assert next(line for line in lines if line.startswith("stage2  x4")).split()[:3] == ["stage2", "x4", "-"]
    words = " ".join(text.split())
    assert "Beside resnet18, resnet18 has the same totals. All " in words


def test_json_comes_back(run: Any) -> None:
    data = json.loads(run("compare", "resnet18", "resnet34", "--input", "1x3x64x64", "--json").out)
    jsonschema.validate(data, run_schema())
    record = from_json(data)
    assert isinstance(record, Comparison)
    assert record.base.subject.inputs == record.variants[0].subject.inputs == ("1x3x64x64:float32",)
    totals = [report.result("macs").total for report in (record.base, record.variants[0])]
    assert sum(each.macs for each in record.alignments[0].differences) == totals[1] - totals[0]


def test_other_formats_and_errors(run: Any) -> None:
    assert "| stage2  x4 | - |" in run("compare", "resnet18", "resnet34", "--markdown").out.replace("&nbsp;", " ")
    assert run("compare", "resnet18", "resnet34", "--csv").out.count("\n") > 10
    for arguments, said in (
        (("resnet18",), "name two or more"),
        (("resnet18", "resnet19"), "did you mean"),
        (("resnet18", "resnet34", "--depth", "2"), "--depth needs --by module"),
    ):
        outcome = run("compare", *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert said in outcome.err


def test_a_page_is_a_whole_report(run: Any, folder: Path) -> None:
    assert run("compare", "resnet18", "resnet34", "resnet18", "-o", "page.html").code == 0
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert [
        title for title in ("Architecture", "Memory", "Gradients", "Method") if f"<h2>{title}</h2>" not in page
    ] == []
    assert len(page.encode()) < 4_000_000


WIDE = """
from torch import nn

def build(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.Conv2d(width, 4, 3), nn.Conv2d(4, 64, 3))
"""


def test_arguments_for_all_networks_and_for_one(run: Any, folder: Path) -> None:
    (folder / "wide.py").write_text(WIDE)
    shared = ["compare", "wide.py:build", "wide.py:build", "--input", "1x3x8x8", "--json"]
    data = json.loads(run(*shared, "--arg", "width=2", "--arg", "2:width=16").out)
    assert [data[part]["subject"]["name"] for part in ("base",)] == ["wide.py:build(width=2)"]
    variant = data["variants"][0]
    assert variant["subject"]["name"] == "wide.py:build(width=16)"
    totals = {result["metric"]: result["total"] for result in variant["results"]}
    assert totals["params"] == 3 * 16 * 9 + 16 + 16 * 4 * 9 + 4 + 4 * 64 * 9 + 64
    outcome = run(*shared, "--arg", "3:width=16")
    assert (outcome.code, "there is no network 3, 2 are named" in outcome.err) == (2, True)


def test_the_largest_rows_and_the_others(run: Any, folder: Path) -> None:
    (folder / "wide.py").write_text(WIDE)
    shared = ["compare", "wide.py:build", "wide.py:build", "--arg", "2:width=16", "--input", "1x3x8x8", "--by", "layer"]
    lines = run(*shared, "--top", "1").out.splitlines()
    rows = [line.split()[0] for line in lines if "wide.py:build " in line]
    # MACs of the second network: 3·16·9·36 = 15,552, 16·4·9·16 = 9,216, 4·64·9·4 = 9,216.
    assert rows[1:4] == ["0", "2", "total"]
    others = next(line for line in lines if line.startswith("2 others"))
    assert others.split()[3:5] == ["2.660", "k"]  # 8·4·9 + 4 + 4·64·9 + 64
    assert run(*shared, "--top", "0").code == 2
