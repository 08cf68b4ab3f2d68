"""What callgrind writes, how its absence is told, and one real run where valgrind is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cspanalyze.measure import callgrind
from cspanalyze.measure.callgrind import Fills, SimulationError
from cspanalyze.measure.client_requests import running_on_valgrind
from cspanalyze.steps import Step, listening

# Shortened from a dump of valgrind 3.19; trailing zeros are left out by callgrind itself.
DUMP = """# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 12668
part: 7

desc: I1 cache: 32768 B, 64 B, 8-way associative
desc: D1 cache: 262144 B, 64 B, 16-way associative
desc: LL cache: 1048576 B, 64 B, 16-way associative
desc: Timerange: Basic block 0 - 4318
desc: Trigger: Client Request: {name}
positions: line
events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw
summary: {counts}

totals: {counts}
"""


def test_a_dump_gives_bytes_for_both_capacities() -> None:
    text = DUMP.format(name="0\tlayer1.conv1", counts="12890000 1 2 3 52000 13000 9 51000 12000")
    assert callgrind.read_dump(text) == ("0\tlayer1.conv1", 64 * 65_000, 64 * 63_000)
    assert callgrind.read_dump(DUMP.format(name="x", counts="7 1")) == ("x", 0, 0)
    assert callgrind.read_dump("desc: Trigger: Program termination\nevents: Ir\ntotals: 5\n") is None


def test_dumps_of_a_module_add_up_and_the_flush_is_left_out(tmp_path: Path) -> None:
    dumps = [("0\tflushed", "9 9 9 9 9 9 9 9 9"), ("0\ta", "1 1 1 1 2 3 1 1 1"), ("1\ta", "0 0 0 0 5 0 0 4 0")]
    dumps += [("0\tb", "0 0 0 0 1 0 0 1 0"), ("0\ta", "0 0 0 0 1 0 0 0 1")]
    for number, (name, counts) in enumerate(dumps, 1):
        (tmp_path / f"counts.{number}").write_text(DUMP.format(name=name, counts=counts))
    assert callgrind.fills(tmp_path) == {
        0: (Fills("a", 64 * 6, 64 * 3), Fills("b", 64, 64)),
        1: (Fills("a", 64 * 5, 64 * 4),),
    }


def test_without_valgrind_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SimulationError, match="valgrind, which is not installed"):
        callgrind.require_valgrind()


@pytest.mark.parametrize(("capacity", "simulated"), [(1, 1 << 17), (524_288, 524_288), (41_943_040, 33_554_432)])
def test_capacities_are_powers_of_two(capacity: int, simulated: int) -> None:
    assert callgrind.rounded(capacity) == simulated


def in_place_of_valgrind(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "valgrind"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="valgrind is asked for on x86-64 only")
def test_a_run_is_followed_dump_by_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"cd {tmp_path}; echo $@ > arguments; echo flood >&2; touch counts.1; printf 4 > expected; sleep 1.2"
    in_place_of_valgrind(tmp_path, monkeypatch, script)
    told: list[Step] = []
    with listening(told.append):
        callgrind.run("a.module", ["an argument"], tmp_path, 1 << 18, 1 << 20)
    assert set(told) == {Step("simulating", 1, 4)}
    words = (tmp_path / "arguments").read_text().split()
    caches = {word for word in words if word.startswith(("--I1=", "--D1=", "--LL="))}
    assert caches == {"--I1=16777216,16,64", "--D1=262144,16,64", "--LL=1048576,16,64"}
    assert words[-4:] == ["-m", "a.module", "an", "argument"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="valgrind is asked for on x86-64 only")
def test_a_run_that_fails_says_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_place_of_valgrind(tmp_path, monkeypatch, "echo no such network >&2; echo ==7== bye >&2; exit 2")
    with pytest.raises(SimulationError, match=r"the run under valgrind failed: no such network$"):
        callgrind.run("a.module", [], tmp_path, 1 << 18, 1 << 20)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the instructions are those of x86-64")
def test_outside_valgrind_a_client_request_does_nothing() -> None:
    assert running_on_valgrind() is False
