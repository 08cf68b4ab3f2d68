"""`cspanalyze sweep`: many networks in worker processes, of which some fail, hang or die."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import heed_interrupts

from cspanalyze.errors import UsageError
from cspanalyze.pipeline.sweeping import FIELDS, SweepRow, completed, sweep
from cspanalyze.pipeline.workers import Died, TooSlow, Workers
from cspanalyze.sources.matching import matching

NETS = """
import os, sys, time
from torch import nn


def fine():
    print("NOISE")
    return nn.Conv2d(3, 8, 3)


def raises():
    raise RuntimeError("no, luck\\nsecond line")


def exits():
    os._exit(3)


def killed():
    os.kill(os.getpid(), 9)


def quits():
    raise SystemExit(4)


def hangs():
    time.sleep(1000)
"""


@pytest.fixture
def bad(folder: Path) -> str:
    (folder / "bad.py").write_text(NETS)
    return "bad.py"


def _rows(path: str = "out.csv") -> dict[str, dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["model"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_one_failure_never_stops_the_rest(run: Any, bad: str) -> None:
    names = [f"{bad}:{name}" for name in ("exits", "hangs", "raises", "killed", "quits", "fine")]
    outcome = run("sweep", *names, "resnet18", "nosuch", "--csv", "out.csv", "--workers", "2", "--timeout", "25")
    assert outcome.code == 0
    assert outcome.out == ""
    rows = _rows()
    assert set(rows) == {*names, "resnet18", "nosuch"}
    errors = {name.removeprefix("bad.py:"): row["error"] for name, row in rows.items()}
    assert errors["exits"] == "its process ended with exit code 3"
    assert errors["killed"] == "its process ended by signal 9 (SIGKILL)"
    assert errors["hangs"] == "it took longer than 25 seconds"
    assert errors["raises"] == "bad.py:raises cannot be built: RuntimeError: no, luck"
    assert errors["quits"] == "bad.py:quits cannot be built: SystemExit: 4"
    assert errors["nosuch"].startswith("there is no network 'nosuch'")
    assert errors["fine"] == errors["resnet18"] == ""
    assert "8 networks: 2 counted, 6 failed; wrote out.csv" in outcome.err


def test_a_row_holds_the_totals(run: Any) -> None:
    run("sweep", "resnet50", "--csv", "out.csv")
    row = _rows()["resnet50"]
    seconds = float(row.pop("seconds"))
    assert 0 < seconds < 60
    assert row == {
        "model": "resnet50", "input": "1x3x224x224:float32", "method": "meta", "params": "25557032",
        "macs": "4089184256", "flops_fvcore": "4111512576", "activations": "11114984", "cio": "21776384",
        "peak_bytes": "11841536", "operations": "175", "coverage_percent": "100.0", "error": "",
    }  # fmt: skip


def test_rows_that_are_there_are_kept_and_left_out(run: Any, folder: Path) -> None:
    run("sweep", "resnet18", "--csv", "out.csv")
    before = (folder / "out.csv").read_text()
    # A machine that went down in the middle of a row: the row is done again.
    (folder / "out.csv").write_text(before + "resnet34,1x3x2")
    outcome = run("sweep", "resnet[13][84]", "--csv", "out.csv", "--resume")
    assert "1 networks: 1 counted, 0 failed, 1 were there" in outcome.err
    assert (folder / "out.csv").read_text().startswith(before)
    assert set(_rows()) == {"resnet18", "resnet34"}


def test_files_are_not_overwritten_unasked(run: Any, folder: Path) -> None:
    (folder / "out.csv").write_text("a,b\n1,2\n")
    assert "out.csv exists: give --force" in run("sweep", "resnet18", "--csv", "out.csv").err
    assert "was not written by this version" in run("sweep", "resnet18", "--csv", "out.csv", "--resume").err
    assert (folder / "out.csv").read_text() == "a,b\n1,2\n"
    assert run("sweep", "resnet18", "--csv", "out.csv", "--force").code == 0
    assert set(_rows()) == {"resnet18"}


def test_rows_go_to_standard_output_without_a_file(run: Any, bad: str) -> None:
    lines = list(csv.reader(run("sweep", f"{bad}:fine").out.splitlines()))
    assert lines[0] == list(FIELDS)
    assert lines[1][:4] == ["bad.py:fine", "1x3x224x224:float32", "meta", "224"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuch*"], "no network matches 'nosuch*'"),
        (["hf:*"], "there is no list of hf: networks"),
        (["resnet18", "--workers", "0"], "--workers 0 is not possible"),
        (["resnet18", "--timeout", "0"], "--timeout 0 is not possible"),
        (["resnet18", "--resume"], "--resume needs the file"),
        (["resnet18", "--csv", "out.txt"], "another suffix than .csv"),
        (["resnet18", "--csv", "no/out.csv"], "there is no folder"),
    ],
)
def test_what_is_refused(run: Any, arguments: list[str], sentence: str) -> None:
    outcome = run("sweep", *arguments)
    assert outcome.code == 2
    assert sentence in outcome.err


def test_strict_tells_of_failures_and_gaps(run: Any, bad: str) -> None:
    assert run("sweep", "resnet18", "--strict").code == 0
    assert run("sweep", f"{bad}:raises", "--strict").code == 3
    outcome = run("sweep", "nets.py:Odd", "--strict")
    assert outcome.code == 3
    assert "1 have operations without a formula" in outcome.err


def test_an_interrupt_leaves_whole_rows_and_no_process(folder: Path, bad: str) -> None:
    command = [sys.executable, "-m", "cspanalyze", "sweep", "resnet18", f"{bad}:hangs", "--csv", "out.csv"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        Path("out.csv").exists() and Path("out.csv").read_text().count("\n") == 2
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--resume goes on from there" in err
    assert err.endswith("error: interrupted\n")
    assert set(_rows()) == {"resnet18"}


def test_patterns_over_several_sources(torchvision_models: object, timm: object) -> None:
    found = matching(["resnet1*", "timm:resnet18*", "torchvision:resnet18", "torchvision:vgg1[13]", "resnet18"])
    assert found == [
        "resnet101", "resnet152", "resnet18", "timm:resnet18", "timm:resnet18d", "torchvision:resnet18",
        "torchvision:vgg11", "torchvision:vgg13",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="searched: timm"):
        matching(["timm:nosuch*"])


class Immediately(Executor):
    """Runs what is submitted at once, in this thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("executor", [Immediately(), ThreadPoolExecutor(1)])
def test_any_executor_will_do(executor: Executor) -> None:
    rows = {row.model: row for row in sweep(["resnet18", "nosuch", "resnet34"], executor)}
    assert rows["resnet18"].macs == 1_814_073_344
    assert rows["nosuch"].error.startswith("there is no network")
    assert isinstance(rows["resnet34"], SweepRow)


def _square(number: int) -> int:
    if number == 3:
        raise ArithmeticError("three")
    if number == 4:
        os._exit(7)
    if number == 5:
        time.sleep(100)
    return number**2


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2, timeout=5)
    yield made
    made.shutdown(cancel_futures=True)


def test_tasks_may_fail_die_and_hang(workers: Workers) -> None:
    outcomes = dict(completed(workers, _square, range(8)))
    assert {task: outcome for task, outcome in outcomes.items() if isinstance(outcome, int)} == {
        0: 0, 1: 1, 2: 4, 6: 36, 7: 49,
    }  # fmt: skip
    assert str(outcomes[3]) == "ArithmeticError: three"
    assert isinstance(outcomes[4], Died)
    assert isinstance(outcomes[5], TooSlow)


def test_what_cannot_be_sent_fails_alone(workers: Workers) -> None:
    bad, good = workers.submit(lambda: 1), workers.submit(_square, 2)
    assert good.result(timeout=60) == 4
    assert bad.exception(timeout=60) is not None


def test_shutdown_cancels_what_has_not_begun() -> None:
    workers = Workers(1)
    running, waiting = workers.submit(_square, 5), workers.submit(_square, 1)
    while not running.running():
        time.sleep(0.01)
    workers.shutdown(cancel_futures=True)
    assert waiting.cancelled()
    assert isinstance(running.exception(), Died)
    with pytest.raises(RuntimeError, match="after shutdown"):
        workers.submit(_square, 1)
