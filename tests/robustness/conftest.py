"""What the robustness tests share: a folder with small networks, and the command line in it.

`EXAMPLES=3000 pytest tests/robustness` tries far more than an ordinary run.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cspanalyze.cli import main

MANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
"""How often something is tried: by the hundred or thousand where the environment says so."""

NETS = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x):
        return torch.relu(x + self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))))


class Tiny(nn.Module):
    def __init__(self, width=8, blocks=2):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=4, padding=1)
        self.stage = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.head = nn.Linear(width, 4)

    def forward(self, x):
        return self.head(self.stage(self.stem(x)).mean((2, 3)))


class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
"""


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left behind."""

    code: int
    out: str
    err: str


def call(arguments: Sequence[str]) -> Outcome:
    """Run the command line in this process. Not a fixture: hypothesis calls it many times in a test."""
    out, err = _stream("strict"), _stream("backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code
    assert isinstance(code, int)
    return Outcome(code, _read(out), _read(err))


def _stream(errors: str) -> io.TextIOWrapper:
    """A standard stream as Python opens them: of bytes, which a lone surrogate of a file name cannot become."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


def is_clear(outcome: Outcome) -> bool:
    """Whether it worked, or was refused in one sentence and with the exit code that is for it."""
    if outcome.code in (0, 3, 4):
        return "Traceback" not in outcome.err
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    return outcome.code == 2 and len(errors) == 1 and "Traceback" not in outcome.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of the command line, with a user's files in it."""
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("nets", None)


def left_over(folder: Path) -> list[str]:
    """Temporary files that a write left behind."""
    return [name for name in os.listdir(folder) if name.startswith(".") and name.count(".") > 1]
