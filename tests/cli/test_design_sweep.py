"""`cspanalyze sweep` over ways to make networks partial, in processes and on a cluster."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cspanalyze.cli.design_run import gammas
from cspanalyze.designs import DesignRow, row_from, texts, with_front
from cspanalyze.errors import CspError, UsageError
from cspanalyze.pipeline.designs import designs, sweep_designs
from cspanalyze.pipeline.executors import cluster
from cspanalyze.pipeline.sweeping import SweepRow
from cspanalyze.renderers import Style
from cspanalyze.renderers.sweeps import render_sweep

Run = Callable[..., Any]


def test_a_range_has_both_ends_and_exact_decimals() -> None:
    assert gammas(".1:.9:.1") == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert gammas("0.25,0.5:0.75:0.25,0.5") == (0.25, 0.5, 0.75)


@pytest.mark.parametrize("text", ["x", "0.1:0.9", "0.9:0.1:0.1", "0.1:0.9:0", "", "0.1:0.9:-1", "nan:1:1"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read: expected numbers like"):
        gammas(text)


def test_gamma_is_checked_before_any_work(run: Run) -> None:
    outcome = run("sweep", "resnet18", "--gamma", "0:1:0.5")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--gamma 0 is not possible" in outcome.err
    assert "--fusion sum is not possible: choose from csp, first, last, all" in run("sweep", "a", "--fusion", "sum").err
    assert "unknown objective 'speed'" in run("sweep", "a", "--gamma", "0.5", "--front", "speed").err
    assert "choose one" in run("sweep", "a", "--workers", "2", "--scheduler", "tcp://localhost:1").err


def test_the_front_leaves_out_what_is_beaten() -> None:
    def row(name: str, macs: int | None, peak: int, **more: Any) -> DesignRow:
        return DesignRow("net", name, macs=macs, peak_bytes=peak, **more)

    rows = [
        row("a", 1, 3),
        row("b", 2, 2),
        row("c", 2, 3),
        row("d", None, 1),
        row("e", 0, 0, error="no"),
        row("f", 1, 3),
    ]
    rows.append(replace(rows[0], model="other", macs=9, peak_bytes=9))
    assert [each.front for each in with_front(rows, ("macs", "peak_bytes"))] == [
        True,
        True,
        False,
        None,
        None,
        True,
        None,  # no other design of that network to be better than
    ]
    with pytest.raises(CspError, match="unknown objective"):
        with_front(rows, ("name",))
    assert [row_from(texts(each)) for each in rows] == rows


def test_every_combination_once_and_controls() -> None:
    tasks = designs(["a"], (0.25, 0.5), ("csp", "last"), ("dropin",), ("keep", "scale"), control=True)
    assert len(tasks) == 1 + 2 * (1 + 2 * 2)
    with ThreadPoolExecutor(2) as threads:  # hooks belong to the process: one design at a time
        rows = list(sweep_designs(designs(["resnet18", "nosuch"], (0.5,), ("csp",), ("paper",), control=True), threads))
    found = {(row.model, row.variant): row for row in rows}
    assert len(found) == len(rows) == 6
    # 1,814,073,344 MACs: tests/cli/test_sweep.py; D_c by the two routes of tests/gradients.
    assert found["resnet18", "base"].macs == 1_814_073_344
    twin, control = found["resnet18", "CSP"], found["resnet18", "control"]
    assert (twin.preset, twin.gamma_effective, twin.stages) == ("paper", 0.5, 4)
    assert (twin.macs or 0) < (control.macs or 0) < 1_814_073_344
    assert (twin.gradient_duplication or 1) < (found["resnet18", "base"].gradient_duplication or 0)
    assert found["nosuch", "CSP"].error.startswith("there is no network 'nosuch'")


def test_a_sweep_goes_on_where_it_was_stopped(run: Run, folder: Path) -> None:
    asked = ("sweep", "resnet18", "--gamma", "0.25,0.5", "--preset", "all", "--csv", "out.csv")
    assert "3 of them" not in run(*asked).err
    with (folder / "out.csv").open() as file:
        whole = list(csv.DictReader(file))
    assert [(row["variant"], row["preset"], row["gamma"]) for row in whole] == [
        ("base", "", ""), ("CSP", "paper", "0.25"), ("CSP", "paper", "0.5"),
        ("CSP", "dropin", "0.25"), ("CSP", "dropin", "0.5"),
    ]  # fmt: skip
    assert {row["front"] for row in whole} == {"yes", "no"}
    lines = (folder / "out.csv").read_text().splitlines(keepends=True)
    (folder / "out.csv").write_text("".join(lines[:3]))
    assert run(*asked, "--resume").code == 0
    with (folder / "out.csv").open() as file:
        assert list(csv.DictReader(file)) == whole


def test_a_table(run: Run) -> None:
    outcome = run("sweep", "resnet18", "--gamma", "0.5", "--fusion", "last")
    assert outcome.code == 0
    assert "paper last 0.5" in outcome.out
    assert outcome.out.count("✓") == 1  # last at gamma 0.5 is better in all three than resnet18 itself
    assert "accuracy is not measured" in outcome.out
    assert outcome.err.endswith("2 designs: 2 counted, 0 failed\n")


def test_formats_inputs_and_arguments(run: Run, folder: Path) -> None:
    asked = ("sweep", "resnet18", "--gamma", "0.5", "--input", "1x3x64x64", "--batch", "2", "--arg", "num_classes=3")
    outcome = run(*asked, "--csv", "rows.csv", "-o", "made.json")
    assert (outcome.code, outcome.out) == (0, "")
    made = json.loads((folder / "made.json").read_text())
    assert [(row["variant"], row["input"]) for row in made["rows"]] == [
        ("base", "2x3x64x64:float32"),
        ("CSP", "2x3x64x64:float32"),
    ]
    assert made["rows"][0]["params"] == 11_689_512 - 997 * 513  # 997 classes of 512 weights and a bias are left out
    assert made["kind"] == "designs"
    with (folder / "rows.csv").open() as file:
        assert [row["macs"] for row in csv.DictReader(file)] == [str(row["macs"]) for row in made["rows"]]
    assert "both CSV: name one file" in run(*asked, "--csv", "a.csv", "-o", "b.csv").err
    assert "made.json exists: give --force" in run(*asked, "-o", "made.json").err
    assert "--batch 0 is not possible" in run("sweep", "resnet18", "--batch", "0").err


def test_networks_in_other_formats(run: Run) -> None:
    outcome = run("sweep", "resnet18", "nosuch.py:f", "--input", "1x3x32x32", "--json")
    assert outcome.code == 0
    first, second = json.loads(outcome.out)["rows"]
    assert (first["input"], first["params"]) == ("1x3x32x32:float32", 11_689_512)
    assert "nosuch.py" in second["error"]
    page = render_sweep([SweepRow(**each) for each in (first, second)], "markdown", Style())
    assert "| resnet18 | 1x3x32x32:float32 | 11.690 M |" in page
    assert "nosuch.py" in page.splitlines()[-1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_a_cluster_that_loses_a_worker_loses_no_row_and_doubles_none() -> None:
    distributed = pytest.importorskip("distributed")
    tasks = designs(["resnet18"], (0.25, 0.5, 0.75), ("csp", "first"))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as workers,
        distributed.Client(workers, set_as_default=False) as client,
        cluster(workers.scheduler_address) as executor,
    ):
        rows = []
        for row in sweep_designs(tasks, executor):
            rows.append(row)
            if len(rows) == 1:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
    assert len(rows) == len(tasks) == 1 + 6
    assert len({row.key for row in rows}) == len(tasks)
    assert not any(row.error for row in rows)


def test_nobody_answers() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match="no Dask scheduler answers at nonsense"), cluster("nonsense"):
        pass
