"""The command line, as a function in this process and as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cspanalyze.cli import main

NETS = """
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())


class Plain:
    pass


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        return self.layer(x)


class Choosing(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        y = self.conv(x)
        return y * 2 if y.mean().item() > 0 else y


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        return torch.linalg.det(self.conv(x))


def noisy():
    print("NOISE")
    return net
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def heed_interrupts() -> None:
    """For a process to be: a shell lets jobs in its background ignore interrupts, and they would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the command line, with a user's files in it."""
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "raises.py").write_text("raise ValueError('boom')\n")
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, which has torch imported already."""

    def call(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(exit.value.code, int)
        return Outcome(exit.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def process(folder: Path) -> Run:
    """Run the command line as a user does."""

    def call(*arguments: str, **environment: str) -> Outcome:
        command = [sys.executable, "-m", "cspanalyze", *arguments]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", env={**os.environ, **environment}, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call
