"""Bad input: one sentence on standard error, nothing on standard output, exit code 2, nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import heed_interrupts

OPTIONS = [
    (["cio", "resnet50", "--csp", "--gamma", "0"], "share of channels that bypasses"),
    (["cio", "resnet50", "--csp", "--gamma", "1"], "share of channels that bypasses"),
    (["cio", "resnet50", "--csp", "--gamma", "-1"], "share of channels that bypasses"),
    (["cio", "resnet50", "--csp", "--gamma", "nan"], "share of channels that bypasses"),
    (["cio", "resnet50", "--csp", "--gamma", "inf"], "share of channels that bypasses"),
    (["cio", "resnet50", "--csp", "--gamma", "half"], "--gamma"),
    (["cio", "resnet50", "--gamma", ".5"], "add --csp"),
    (["flops", "resnet50", "--fusion", "last", "--stages", "1"], "--fusion and --stages say how to make the CSP twin"),
    (["cio", "resnet50", "--fusion", "middle", "--csp"], "'middle' is not one of"),
    (["cio", "resnet50", "--rule", "all"], "--rule"),
    (["cio", "resnet50", "--input", "3xx"], "expected sizes joined by x"),
    (["cio", "resnet50", "--input", "1x3x8x8", "--input-from", "a.py:f"], "leave out --input and --batch"),
    (["cio", "resnet50", "--batch", "0"], "at least 1"),
    (["cio", "resnet50", "--dtype", "int8"], "--dtype"),
    (["cio", "resnet50", "--arg", "width"], "expected key=value"),
    (["cio", "resnet50", "--depth", "2"], "--depth needs --by module"),
    (["cio", "resnet50", "--by", "module", "--depth", "0"], "at least 1"),
    (["cio", "resnet50", "--json", "--csv"], "contradict"),
    (["cio", "resnet50", "-o", "x.foo"], "known are .txt, .json, .csv"),
    (["cio", "resnet50", "-o", "x"], "has no suffix"),
    (["cio", "resnet50", "-o", "x.csv", "--json"], "contradict"),
    (["cio", "resnet50", "-o", "nowhere/x.json"], "there is no folder"),
    (["cio", "resnet50", "-o", "folder.json"], "no regular file"),
    (["cio", "resnet50", "-o", "there.json"], "give --force to overwrite"),
    (["cio", "resnet50", "--force"], "name it with -o FILE"),
    (["cio"], "Missing argument 'MODEL'"),
    (["cio", "resnet50", "resnet18"], "unexpected extra argument"),
    (["cio", "resnet50", "--gama", "1"], "No such option: --gama"),
    (["cioo", "resnet50"], "No such command 'cioo'"),
    (["models", "nosuchnetwork"], "no network matches 'nosuchnetwork'"),
    (["models", "nosuch:x"], "there is no list of nosuch: networks"),
]  # fmt: skip

NETWORKS = [
    (["cio", "raises.py:Net"], "ValueError: boom (line 1)"),
    (["cio", "nets.py:Plain"], "gives an object of type Plain"),
    (["cio", "nets.py:Nope"], "has no 'Nope'"),
    (["cio", "nosuch.py:Net"], "there is no file nosuch.py"),
    (["cio", "nosuch.module:Net"], "there is no module 'nosuch'"),
    (["cio", "builtin:resnet5"], "did you mean resnet50"),
    (["cio", "resnet50", "--input", "3x224"], "the input was 3x224:float32"),
    (["cio", "resnet50", "--input", "1x4x64x64"], "the input was 1x4x64x64:float32"),
    (["cio", "resnet50", "--arg", "width=3"], "resnet50 has no option width"),
    (["cio", "nets.py:Mlp"], "without --input, 1x3x224x224:float32 was tried"),
    (["cio", "nets.py:Mlp", "--input", "1x16"], "has no convolution"),
    (["flops", "nets.py:Mlp", "--input", "1x16", "--csp"], "no staged convolution chain"),
    (["cio", "resnet50", "--csp", "--stages", "9"], "there is no stage '9'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"), [*OPTIONS, *NETWORKS], ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_one_sentence(run: Any, folder: Path, arguments: list[str], words: str) -> None:
    (folder / "folder.json").mkdir()
    (folder / "there.json").write_text("precious")
    before = sorted(os.listdir(folder))
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert sorted(set(os.listdir(folder)) - {"__pycache__"}) == before
    assert (folder / "there.json").read_text() == "precious"


@pytest.mark.parametrize("arguments", [case for case, _ in OPTIONS[:6]], ids=lambda value: value[-1])
def test_options_are_refused_before_torch_is_imported(folder: Path, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom cspanalyze.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as exit: assert exit.code == 2\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() == 0 or sys.platform == "win32", reason="permissions do not stop this user")
def test_a_folder_without_permission(run: Any, folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    outcome = run("cio", "resnet50", "-o", "locked/x.json")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "cannot write into" in outcome.err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that refuses files to everybody")
def test_a_folder_that_takes_no_files(run: Any) -> None:
    outcome = run("cio", "resnet50", "-o", "/proc/x.json")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "cannot write into /proc" in outcome.err


def test_debug_shows_the_traceback(run: Any) -> None:
    outcome = run("cio", "raises.py:Net", "--debug")
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: raises.py cannot be executed")


def test_an_internal_error_is_one_sentence_as_well(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr("cspanalyze.pipeline.analyze", broken)
    outcome = run("cio", "resnet50")
    assert outcome.code == 1
    expected = "error: internal error, ZeroDivisionError: first line (--debug shows where; please report it)\n"
    assert outcome.err == expected


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupt(folder: Path) -> None:
    (folder / "slow.py").write_text("import time\nprint('started', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-u", "-m", "cspanalyze", "cio", "slow.py:Net"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_interrupts) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "started\n"  # what a user's file prints goes to standard error
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "error: interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_standard_output_that_is_full(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "cspanalyze", "models"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write to standard output" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
@pytest.mark.parametrize("arguments", ["models --csv", "--help"])
def test_a_reader_that_goes_away(folder: Path, arguments: str) -> None:
    command = f"{sys.executable} -m cspanalyze {arguments} | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


ODD = """
import torch
from torch import nn

def quantised():
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(16, 8)), {nn.Linear})

class OnCuda(nn.Module):
    def forward(self, x):
        raise AssertionError("Torch not compiled with CUDA enabled")

class Mistaken(nn.Module):
    def forward(self, x):
        return self.convolution(x)

class Narrow(nn.Conv2d):
    def __init__(self):
        super().__init__(4, 8, 3)
"""


@pytest.mark.parametrize(
    ("name", "words", "input_is_asked_for"),
    [
        ("quantised", "quantized::linear_dynamic runs on numbers only", False),
        ("OnCuda", "let it use the device of its input", False),
        ("Mistaken", "has no attribute 'convolution'", False),
        ("Narrow", "takes 4 channels, its input has 3", True),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor:UserWarning")
def test_the_input_is_blamed_only_where_it_may_be_at_fault(
    run: Any, folder: Path, name: str, words: str, input_is_asked_for: bool
) -> None:
    (folder / "odd.py").write_text(ODD)
    shape = "1x16" if name == "quantised" else "1x3x8x8"
    outcome = run("flops", f"odd.py:{name}", "--input", shape)
    assert outcome.code == 2
    assert words in outcome.err
    assert ("is it what" in outcome.err) == input_is_asked_for


@pytest.mark.parametrize(("train", "mode", "noted"), [(False, "eval", True), (True, "train", False)])
def test_an_exported_graph_keeps_its_mode(run: Any, folder: Path, train: bool, mode: str, noted: bool) -> None:
    import json

    import torch

    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8)).train(train)
    torch.export.save(torch.export.export(model, (torch.rand(2, 3, 8, 8),)), folder / "m.pt2")
    subject = json.loads(run("summary", "m.pt2", "--train", "--json").out)["subject"]
    assert subject["mode"] == mode
    assert any("graph of evaluation mode" in note for note in subject["notes"]) == noted
