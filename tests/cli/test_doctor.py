"""`cspanalyze doctor`, in good and in broken surroundings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cspanalyze.pipeline import examination


def _parts(outcome: Any) -> dict[str, dict[str, str]]:
    assert outcome.code == 0, outcome.err
    return {part["name"]: part for part in json.loads(outcome.out)["parts"]}


def test_what_is_there(process: Any) -> None:
    import torch

    parts = _parts(process("doctor", "--json"))
    assert (parts["torch"]["state"], parts["torch"]["version"]) == ("ok", torch.__version__)
    for name in (
        "cspanalyze",
        "Python",
        "plotly",
        "torchvision",
        "valgrind",
        "perf",
        "ncu",
        "CUDA device",
        "Graphviz",
        "pandas",
    ):
        assert name in parts
    assert {parts[name]["state"] for name in ("plotly", "pandas")} == {"found"}, "looked up, not imported"
    for part in parts.values():
        assert part["state"] in ("ok", "found") or part["get"] or part["said"], part


def test_broken_packages_are_told_and_stop_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"raises": "raise OSError('no such library')", "dies": "import os; os._exit(11)", "fine": "print('noise')"}
    for name, code in (*broken.items(), ("exits", "import sys; sys.exit(3)")):
        (folder / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    assert examination._imported(["raises", "dies", "exits", "fine"]) == {
        "raises": "OSError: no such library",
        "dies": "importing it ends the process (exit code 11)",
        "exits": "SystemExit: 3",
        "fine": "",
        "cuda": "",
    }


def test_the_table(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        examination, "_imported", lambda names: {name: "" if name == "torch" else "OSError: gone" for name in names}
    )
    monkeypatch.setattr(examination, "_there", lambda name: name in ("torch", "timm"))
    monkeypatch.setattr("shutil.which", lambda name: None)
    text = " ".join(run("doctor").out.split())
    assert "timm found" in text
    assert "--full imports it" in text
    text = " ".join(run("doctor", "--full").out.split())
    for words in ("torchvision missing", "timm broken", "OSError: gone", "'.[models]'", "apt install valgrind"):
        assert words in text
    assert "needed and missing: fvcore" in text
