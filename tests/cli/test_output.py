"""Where output goes: formats, files, widths, encodings."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cspanalyze.cli.destination import Destination
from cspanalyze.errors import OutputError
from cspanalyze.schema import run_schema

CIO = ["cio", "resnet18", "--csp", "--gamma", "0.5"]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.txt", "resnet18"),
        ("x.json", "{"),
        ("x.csv", "subject,"),
        ("x.md", "# "),
        ("x.tex", "% needs"),
        ("x.html", "<!DOCTYPE html>"),
    ],
)
def test_the_suffix_picks_the_format(run: Any, folder: Path, name: str, start: str) -> None:
    outcome = run(*CIO, "-o", name)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"wrote {name}\n")
    assert (folder / name).read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize("option", ["json", "csv", "markdown", "latex", "html"])
def test_every_command_has_every_format(run: Any, option: str) -> None:
    for command in (["cio", "resnet18"], ["models", "resnet18"]):
        outcome = run(*command, f"--{option}")
        assert outcome.code == 0
        assert "resnet18" in outcome.out
        assert outcome.err == ""


def test_json_validates_and_nothing_else_is_on_standard_output(process: Any) -> None:
    outcome = process("cio", "nets.py:noisy", "--json")
    data = json.loads(outcome.out)
    jsonschema.validate(data, run_schema())
    assert "NOISE" in outcome.err
    outcome = process(*CIO, "--json")
    jsonschema.validate(json.loads(outcome.out), run_schema())
    assert outcome.err == ""


def test_force_overwrites_and_keeps_the_permissions(run: Any, folder: Path) -> None:
    target = folder / "old.csv"
    target.write_text("old")
    target.chmod(0o600)
    assert run(*CIO, "-o", "old.csv", "--force").code == 0
    assert target.read_text().startswith("subject,")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(os.listdir(folder)) == ["nets.py", "old.csv", "raises.py"]


def test_a_new_file_has_ordinary_permissions(run: Any, folder: Path) -> None:
    (folder / "ordinary").touch()
    run(*CIO, "-o", "new.csv")
    assert (folder / "new.csv").stat().st_mode == (folder / "ordinary").stat().st_mode


def test_a_symbolic_link_stays_one(run: Any, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "x.csv").write_text("old")
    (folder / "link.csv").symlink_to("real/x.csv")
    assert run(*CIO, "-o", "link.csv", "--force").code == 0
    assert (folder / "link.csv").is_symlink()
    assert (folder / "real" / "x.csv").read_text().startswith("subject,")


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    target = folder / "x.csv"
    target.write_text("old")

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, fail)
    with pytest.raises(OutputError, match="No space left on device"):
        Destination("csv", target, force=True).write("new")
    assert target.read_text() == "old"
    assert sorted(os.listdir(folder)) == ["nets.py", "raises.py", "x.csv"]


def test_nothing_is_written_when_the_work_fails(run: Any, folder: Path) -> None:
    assert run("cio", "raises.py:Net", "-o", "x.csv").code == 2
    assert not (folder / "x.csv").exists()


@pytest.mark.parametrize("columns", ["80", "100", "140"])
def test_the_table_is_as_wide_as_columns_says(run: Any, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = run(*CIO).out
    assert max(map(len, text.splitlines())) <= int(columns)
    for title in ("MACs", "params", "formula", "equal?", "copies", "adds", "unfused", "fused", "median", "memory"):
        assert title in text


def test_a_pipe_gets_neither_colour_nor_drawn_lines(process: Any) -> None:
    text = process(*CIO).out
    assert "\x1b" not in text
    assert "─" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_an_ascii_pipe_gets_ascii(process: Any) -> None:
    outcome = process("cio", "resnet18", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert outcome.code == 0
    assert outcome.out.isascii()
    assert re.search(r"^stem .* =( |$)", outcome.out, flags=re.M)


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_unless_told_otherwise(
    folder: Path, environment: dict[str, str], coloured: bool
) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "cspanalyze", "models", "resnet18"]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "90", **environment}
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL, env=env):
        os.close(slave)
        text = ""
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:
                break
            if not chunk:
                break
            text += chunk.decode("utf-8", "replace")
    os.close(master)
    assert ("\x1b[1m" in text) == coloured
    assert ("─" in text) == coloured
    assert "11.690 M" in text


def test_csv_of_the_list_of_networks(run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(run("models", "resnet*", "--csv").out)))
    assert {row["name"]: row["params"] for row in rows}["resnet50"] == "25557032"
    assert all(row["input_size"] == "3x224x224" for row in rows)
