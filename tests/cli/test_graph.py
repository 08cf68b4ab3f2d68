"""`cspanalyze graph` and `cspanalyze schematic` as a user meets them."""

from __future__ import annotations

import json

import pytest

from cspanalyze.renderers.pictures import graphviz


def test_a_table_without_a_file(run) -> None:
    done = run("graph", "resnet50", "--level", "network")
    assert done.code == 0
    assert "stage3" in done.out
    assert "4.089 G" in done.out


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "dot", "mmd", "html", "json", "csv", "md", "tex", "txt"])
def test_every_suffix(run, tmp_path, suffix) -> None:
    file = tmp_path / f"net.{suffix}"
    done = run("graph", "resnet50", "--level", "stage" if suffix == "html" else "network", "-o", str(file))
    assert done.code == 0, done.err
    assert file.stat().st_size > 300
    again = run("graph", "resnet50", "-o", str(file))
    assert again.code == 2
    assert "--force" in again.err


def test_json_of_a_comparison(run) -> None:
    done = run("graph", "resnet50", "--csp", "--gamma", "0.25", "--view", "diff", "--json")
    data = json.loads(done.out)
    assert data["title"] == "resnet50 → resnet50 CSP, γ = 0.25"
    assert {node["state"] for node in data["nodes"]} == {"same", "changed", "added", "removed"}


def test_two_networks(run, tmp_path) -> None:
    done = run("graph", "resnet18", "--against", "resnet34", "--view", "diff", "--json")
    counts = [(n["title"], n["count"], n["state"]) for n in json.loads(done.out)["nodes"] if n["title"] == "BasicBlock"]
    # He et al. (2016), table 1: 2 blocks a stage against 3, 4, 6 and 3; the first of each of stages 2 to 4 is the same.
    assert [count for _, count, state in counts if state != "removed"] == [3, 1, 3, 1, 5, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resnet50", "--gamma", "0.3"), "add --csp"),
        (("resnet50", "--view", "diff"), "needs a second network"),
        (("resnet50", "--csp", "--against", "resnet18"), "contradict"),
        (("resnet50", "--csp", "--control", "--view", "diff"), "leave out --control"),
        (("resnet50", "-o", "x.bmp"), "no format has the suffix"),
        (("resnet50", "--highlight", "nothing.*"), "nothing on level stage matches"),
        (("resnet50", "--level", "op", "-o", "x.html"), "leave out --level"),
        (("no_such_net",), "no network"),
        (("resnet50", "--against", "no_such_net"), "no network"),
    ],
)
def test_refused(run, arguments, said) -> None:
    done = run("graph", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_without_graphviz_the_dot_file_is_written(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(graphviz, "available", lambda: False)
    done = run("graph", "resnet50", "-o", str(tmp_path / "net.svg"))
    assert done.code == 2
    assert "pip install 'pygraphviz>=2'" in done.err
    assert (tmp_path / "net.dot").read_text().startswith("digraph {")
    assert not (tmp_path / "net.svg").exists()


def test_schematic(run, tmp_path) -> None:
    file = tmp_path / "stage.svg"
    assert run("schematic", "densenet121", "--stage", "1", "--csp", "--fusion", "last", "-o", str(file)).code == 0
    assert "CSP, fusion last, γ = 0.5" in file.read_text()
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF-")):
        assert run("schematic", "resnet50", "--stage", "2", "-o", str(file.with_suffix(suffix))).code == 0
        assert file.with_suffix(suffix).read_bytes().startswith(magic)
    data = json.loads(run("schematic", "densenet121", "--json").out)
    assert data["kind"] == "schematic"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resnet50", "--stage", "7"), "it has stem, stage1"),
        (("resnet50", "--every-fusion"), "add --csp"),
        (("resnet50", "--csp", "--every-fusion", "--fusion", "last"), "contradict"),
        (("resnet50", "-o", "x.dot"), ".svg, .png, .pdf or .json"),
        (("resnet50", "--csv"), "only pictures and JSON"),
    ],
)
def test_refused_schematics(run, arguments, said) -> None:
    done = run("schematic", *arguments)
    assert done.code == 2
    assert said in done.err


def test_the_control_is_a_third_column(run) -> None:
    data = json.loads(run("graph", "resnet50", "--csp", "--control", "--json").out)
    columns = [frame for frame in data["frames"] if not frame["frame"]]
    assert [column["title"] for column in columns] == [
        "resnet50",
        "resnet50 CSP, γ = 0.5",
        "resnet50 control, no split",
    ]
    assert {len(row) for row in data["rows"]} == {3}
    without_base = json.loads(run("graph", "resnet50", "--csp", "--control", "--view", "twin", "--json").out)
    assert [frame["title"] for frame in without_base["frames"] if not frame["frame"]] == [
        c["title"] for c in columns[1:]
    ]
