"""Processes that are killed, disks that are full, folders that are read-only, and two writers of one file."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from robustness.conftest import left_over

COMMAND = [sys.executable, "-m", "cspanalyze"]
WRITING = """
import sys
from pathlib import Path
from cspanalyze.files import write_file

print("ready", flush=True)
while True:
    for letter in "ab":
        write_file(Path("out.txt"), letter * 3_000_000, force=True)
"""


def _start(*arguments: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        **more,  # type: ignore[call-overload]
    )  # fmt: skip


def test_a_write_that_is_killed_leaves_the_old_file_or_the_new_one(folder: Path) -> None:
    (folder / "out.txt").write_text("b" * 3_000_000)
    for moment in (0.0, 0.003, 0.008, 0.02, 0.05, 0.09):
        with subprocess.Popen([sys.executable, "-c", WRITING], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(moment)
            process.kill()
        content = (folder / "out.txt").read_text()
        assert content in ("a" * 3_000_000, "b" * 3_000_000)


NAMES = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "densenet121", "densenet169", "densenet201"]


def test_a_sweep_that_is_killed_is_gone_on_with(folder: Path) -> None:
    path = folder / "out.csv"
    process = _start("sweep", *NAMES, "--csv", "out.csv")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (path.exists() and path.read_text().count("\n") > 2):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    text = path.read_text()
    assert text.endswith("\n")
    done = [row["model"] for row in csv.DictReader(text.splitlines())]
    assert 2 <= len(done) < len(NAMES)
    outcome = subprocess.run(
        [*COMMAND, "sweep", *NAMES, "--csv", "out.csv", "--resume"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert sorted(row["model"] for row in rows) == sorted(NAMES)  # nothing lost, nothing twice
    assert all(row["macs"] and not row["error"] for row in rows)
    assert rows[: len(done)] == list(csv.DictReader(text.splitlines()))


def _with_room_for(size: int) -> None:
    """Let the process write files of that size at most: beyond it a write fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_gets_full(folder: Path) -> None:
    (folder / "run.json").write_text("precious")
    done = subprocess.run(
        [*COMMAND, "summary", "resnet18", "-o", "run.json", "--force"],
        capture_output=True, text=True, check=False, preexec_fn=lambda: _with_room_for(2000),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "cannot write run.json: File too large" in done.stderr
    assert (folder / "run.json").read_text() == "precious"
    assert not left_over(folder)


def test_a_disk_that_gets_full_in_the_middle_of_a_row(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "sweep", *NAMES[:4], "--csv", "out.csv"],
        capture_output=True, text=True, check=False, preexec_fn=lambda: _with_room_for(300),
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("error: ")) == (2, 1)
    assert "cannot write out.csv" in done.stderr
    text = (folder / "out.csv").read_text()
    assert text.endswith("\n")
    assert 1 <= len(list(csv.DictReader(text.splitlines()))) < 4
    again = subprocess.run([*COMMAND, "sweep", *NAMES[:4], "--csv", "out.csv", "--resume"], check=False)
    assert again.returncode == 0
    rows = list(csv.DictReader((folder / "out.csv").read_text().splitlines()))
    assert sorted(row["model"] for row in rows) == sorted(NAMES[:4])


@contextmanager
def _mounted(options: str) -> Iterator[Path]:
    """A small file system of its own; the test is skipped where this user may not mount one."""
    with tempfile.TemporaryDirectory() as where:
        mount = ["mount", "-t", "tmpfs", "-o", options, "none", where]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("needs the right to mount a small file system")
        try:
            yield Path(where)
        finally:
            subprocess.run(["umount", where], check=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=8k", "No space left on device"), ("ro", "cannot write into")],
    ids=["full", "read-only"],
)
def test_a_file_system_that_takes_nothing(options: str, words: str) -> None:
    with _mounted(options) as where:
        done = subprocess.run(
            [*COMMAND, "summary", "resnet18", "-o", "run.json"], cwd=where, capture_output=True, text=True,
            check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert words in done.stderr
        assert os.listdir(where) == []


def test_two_processes_that_make_the_same_file(folder: Path) -> None:
    both = [_start("summary", name, "-o", "run.json") for name in ("resnet18", "resnet50")]
    told = [process.communicate()[1] for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 2]  # one has made it, the other is told so
    winner = ("resnet18", "resnet50")[codes.index(0)]
    assert json.loads((folder / "run.json").read_text())["subject"]["name"] == winner
    assert "give --force to overwrite it" in told[codes.index(2)]
    assert not left_over(folder)


def test_two_processes_that_overwrite_the_same_file(folder: Path) -> None:
    both = [_start("summary", name, "-o", "run.json", "--force") for name in ("resnet18", "resnet50")]
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert json.loads((folder / "run.json").read_text())["subject"]["name"] in ("resnet18", "resnet50")
    assert not left_over(folder)


def test_two_sweeps_into_the_same_file(folder: Path) -> None:
    path = folder / "out.csv"
    first = _start("sweep", *NAMES, "--csv", "out.csv")
    while not path.exists() and first.poll() is None:
        time.sleep(0.01)
    second = subprocess.run(
        [*COMMAND, "sweep", *NAMES, "--csv", "out.csv", "--resume"], capture_output=True, text=True, check=False
    )
    first.communicate()
    assert first.returncode == 0
    assert second.returncode in (0, 2)
    if second.returncode == 2:
        assert "another process is writing out.csv" in second.stderr
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert sorted(row["model"] for row in rows) == sorted(NAMES)
