"""Defaults from cspanalyze.toml and pyproject.toml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def _subject(outcome: Any) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)["subject"]
    return found


@pytest.mark.parametrize(
    ("name", "head"), [("cspanalyze.toml", ""), ("pyproject.toml", "[tool.other]\nx = 1\n[tool.cspanalyze]\n")]
)
def test_defaults_and_where_they_come_from(run: Any, folder: Path, name: str, head: str) -> None:
    (folder / name).write_text(f'{head}input = "1x3x64x64"\nbatch = 2\ngamma = 0.25\n')
    subject = _subject(run("params", "resnet18", "--json"))
    assert subject["inputs"] == ["2x3x64x64:float32"]
    # gamma is for twins, and none is asked for
    assert f"defaults of {name}: --input 1x3x64x64 --batch 2" in subject["notes"]


def test_the_nearest_file_above_counts(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pyproject.toml").write_text("[tool.cspanalyze]\nbatch = 2\n")
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    notes = _subject(run("params", "resnet18", "--json"))["notes"]
    assert "defaults of ../../pyproject.toml: --batch 2" in notes
    (folder / "a" / "cspanalyze.toml").write_text("batch = 3\n")
    notes = _subject(run("params", "resnet18", "--json"))["notes"]
    assert "defaults of ../cspanalyze.toml: --batch 3" in notes


def test_the_command_line_beats_the_file(run: Any, folder: Path) -> None:
    (folder / "cspanalyze.toml").write_text('batch = 2\nformat = "json"\n[params]\nby = "module"\ndepth = 1\n')
    assert _subject(run("params", "resnet18"))["inputs"] == ["2x3x224x224:float32"]
    assert _subject(run("params", "resnet18", "--batch", "4"))["inputs"] == ["4x3x224x224:float32"]
    assert run("params", "resnet18", "--csv").out.startswith("subject,")
    # --depth of the file has no sense beside --by layer, and stands back
    assert "layer1.0.conv1" in run("params", "resnet18", "--by", "layer").out
    left_out = run("params", "resnet18", "--no-config")
    assert left_out.out.startswith("resnet18")
    assert "defaults of" not in left_out.out


def test_tables_of_commands(run: Any, folder: Path) -> None:
    (folder / "cspanalyze.toml").write_text("csp = true\ngamma = 0.25\n[summary]\ncsp = false\n")
    comparison = json.loads(run("params", "resnet18", "--json").out)
    assert {change["gamma"] for change in comparison["changes"]} == {0.25}
    assert json.loads(run("summary", "resnet18", "--json").out)["kind"] == "report"


def test_a_profile_lies_beside_the_file(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cspanalyze.toml").write_text('profile = "none.toml"\n')
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder / "inner")
    assert "../none.toml" in run("cio", "resnet18").err


def test_a_command_without_a_record_says_it_on_standard_error(run: Any, folder: Path) -> None:
    (folder / "cspanalyze.toml").write_text("batch = 2\n")
    assert "note: defaults of cspanalyze.toml: --batch 2" in run("stages", "resnet18").err
    assert run("stages", "resnet18", "--quiet").err == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gama = 0.5", "gama is no option: did you mean gamma?"),
        ("[params]\ngama = 0.5", "params.gama is no option of `cspanalyze params`: did you mean params.gamma?"),
        ("[parms]\ngamma = 0.5", "parms is no option: did you mean params?"),
        ("csp = true\ngamma = 2", "--gamma 2 is not possible"),
        ("by = 'nothing'", "by = 'nothing' is not possible"),
        ("csp = 'yes'", "expected true or false"),
        ("batch = 'many'", "batch = 'many' is not possible"),
        ("format = 'xml'", "choose from table, json"),
        ("json = true", 'write format = "json"'),
        ("output = 'x.json'", "output cannot be set in a file"),
        ("force = true", "force cannot be set in a file"),
        ("cio = 3", "cio is a command"),
        ("input-from = 'nets.py:noisy'", "names code to execute: give it on the command line"),
        ("batch = ", "cannot be read"),
        ("\xff", "cannot be read"),
    ],
)
def test_what_is_off_is_said_in_one_sentence(run: Any, folder: Path, text: str, words: str) -> None:
    (folder / "cspanalyze.toml").write_bytes(text.encode("latin-1"))
    outcome = run("params", "resnet18")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: cspanalyze.toml")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
    assert run("params", "resnet18", "--no-config").code == 0


def test_a_broken_pyproject_of_others_is_none_of_our_business(run: Any, folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.other\n")
    assert run("params", "resnet18").code == 0


def test_defaults_do_not_turn_a_sweep_into_one_of_designs(run: Any, folder: Path) -> None:
    (folder / "cspanalyze.toml").write_text("gamma = 0.25\ncontrol = true\n")
    outcome = run("sweep", "resnet18")
    assert outcome.code == 0
    assert outcome.out.startswith("model,")
