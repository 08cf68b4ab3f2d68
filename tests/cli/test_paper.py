"""`cspanalyze paper`: the printed numbers beside the counts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cspanalyze import zoo
from cspanalyze.pipeline.publication import reproduce
from cspanalyze.results import Publication, from_json
from cspanalyze.schema import run_schema
from cspanalyze.zoo.tables.published import PUBLISHED

REFERENCE = Path(__file__).parents[1] / "reference" / "published_counts.csv"
KNOWN_DIFFERENCES = {  # printed | counted; each has its remark in the table
    ("ResNet-152", "flops_darknet"), ("DenseNet-201-Elastic", "flops_darknet"), ("Res2NetLite-72", "flops_darknet"),
    ("Darknet Ref.", "flops_darknet"), ("YOLOv3-tiny", "weights"), ("YOLOv3-tiny-PRN", "weights"),
}  # fmt: skip


def _number(text: str) -> float | None:
    return float(text) if text else None


def test_every_printed_number_is_that_of_the_reference() -> None:
    """Two people copied these tables independently: every number of the reference is in the package, and no other."""
    with REFERENCE.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] != "authors definition"]
    theirs = sorted(
        (str(_number(row["published_params_M"])), str(_number(row["published_bflops"])), row["published_cio_M"])
        for row in rows
    )
    ours = sorted((str(_number(row.params_m)), str(_number(row.bflops)), row.cio_m) for row in PUBLISHED)
    assert ours == theirs


def test_what_was_published_agrees_in_every_digit() -> None:
    rows = [row for row in PUBLISHED if row.network and zoo.NETWORKS[row.network].family == "darknet_cfgs"]
    found = list(reproduce(rows))
    published = [row for row in found if row.status != "reconstruction"]
    differing = {(row.model, figure.metric) for row in published for figure in row.figures if not figure.agrees}
    assert differing == {each for each in KNOWN_DIFFERENCES if each[0] not in ("ResNet-152", "DenseNet-201-Elastic")}
    assert all(row.note for row in found if row.status in ("differs", "reconstruction"))
    assert sum(row.status == "exact" for row in found) == 33


def test_deviations_are_printed(run: Any) -> None:
    text = run("paper", "fusion").out
    assert "-0.4 %" in text  # 0.8015 / 0.805 - 1
    assert "2 printed rows: 2 reconstruction." in text
    data = json.loads(run("paper", "csppeleenet", "--json").out)
    jsonschema.validate(data, run_schema())
    record = from_json(data)
    assert isinstance(record, Publication)
    figure = record.rows[0].figure("flops_darknet")
    assert figure is not None
    assert figure.deviation == pytest.approx(0.90135 / 0.888 - 1, abs=1e-4)


def test_formats(run: Any, tmp_path: Path) -> None:
    rows = list(csv.DictReader(run("paper", "Figure 8", "--csv").out.splitlines()))
    assert [(row["model"], row["printed"], row["agrees"]) for row in rows] == [
        ("ResNeXt-50", "34.4", "True"),
        ("CSPResNeXt-50", "32.6", "True"),
    ]
    assert "| CSPResNeXt-50 | 256 | 32.6 | 32.64 | = | exact |" in run("paper", "Figure 8", "--markdown").out
    path = tmp_path / "paper.tex"
    assert run("paper", "elastic", "-o", str(path)).code == 0
    assert r"\toprule" in path.read_text()
    assert run("paper", "alexnet").code == 2


def test_rules_of_the_paper_on_other_commands(run: Any) -> None:
    """41.57 M weights, 18.57 BFLOPs: table 3."""
    weights = json.loads(run("params", "darknet53", "--rule", "weights", "--json").out)
    flops = json.loads(run("flops", "darknet53", "--convention", "darknet", "--json").out)
    assert weights["results"][0]["total"] == 41_573_216
    assert flops["results"][0]["total"] == pytest.approx(18.57e9, rel=1e-4)
