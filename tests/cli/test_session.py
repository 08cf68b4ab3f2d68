"""--quiet, --verbose, and what is shown while something takes long."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from cspanalyze.cli import waiting
from cspanalyze.cli.session import begin, session
from cspanalyze.steps import count, listening, step


def test_quiet_leaves_out_notes(run: Any) -> None:
    assert "wrote out.json" in run("params", "resnet18", "-o", "out.json").err
    assert run("params", "resnet18", "-o", "out.json", "--force", "--quiet").err == ""
    assert run("--quiet", "params", "resnet18", "-o", "out.json", "--force").err == ""
    assert "no.such" in run("-q", "params", "no.such:thing").err


def test_verbose_says_what_is_done_and_how_long_it_took(run: Any) -> None:
    loud, plain = run("params", "resnet18", "--csp", "--verbose"), run("params", "resnet18", "--csp")
    assert loud.out == plain.out
    assert plain.err == ""
    for words in ("building resnet18: ", "tracing resnet18, from built in: ", "making the twin", " s in all"):
        assert words in loud.err


def test_quiet_and_verbose_exclude_each_other(run: Any) -> None:
    outcome = run("-q", "params", "resnet18", "-v")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _shown(monkeypatch: pytest.MonkeyPatch, quiet: bool = False) -> str:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(waiting, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_REFRESH_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    begin()
    session().quiet = quiet
    with waiting.waiting("timing a network"):
        count("round", 3, 4)
        time.sleep(0.3)
    return terminal.getvalue()


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "timing a network: round" in _shown(monkeypatch)
    assert _shown(monkeypatch, quiet=True) == ""


def test_steps_are_told_to_who_listens() -> None:
    heard: list[Any] = []
    with step("before"), listening(heard.append), step("one"):
        count("half", 1, 2)
    assert [(each.what, each.done, each.seconds is None) for each in heard] == [
        ("one", None, True), ("half", 1, True), ("one", None, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["params", "resnet18", "-o", "-"], "resnet18"),
        (["params", "resnet18", "-o", "-", "--json"], "{"),
        (["export", "darknet/resnet50", "-o", "-"], "[net]"),
        (["schematic", "densenet121", "-o", "-"], "<svg"),
        (["csp", "resnet18", "-o", "-"], "resnet18"),
    ],
)
def test_a_dash_is_standard_output(run: Any, folder: Path, arguments: list[str], first: str) -> None:
    before = sorted(folder.iterdir())
    outcome = run(*arguments)
    assert outcome.code == 0, outcome.err
    assert first in outcome.out[:80]
    assert sorted(folder.iterdir()) == before
