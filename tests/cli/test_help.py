"""--help, --version and completion: quick, because torch stays out."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest

COMMANDS = (
    "cio", "compare", "export", "flops", "gradients", "graph", "latency", "models", "paper", "params", "plot", "render",
    "report", "schematic", "summary", "sweep",
)  # fmt: skip
HEAVY = (
    "torch", "timm", "torchvision", "plotly", "jinja2", "kaleido", "networkx", "numpy", "rich", "pydantic", "cattrs",
)  # fmt: skip


def _imported(*arguments: str) -> list[str]:
    code = (
        "import sys, io, contextlib\nfrom cspanalyze.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(sys.argv[1:])\n"
        f"print(*(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert _imported(*arguments) == []


def test_help_takes_little_time(process: Any) -> None:
    process("--help")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.25


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(run: Any, command: str) -> None:
    outcome = run(command, "--help")
    text = " ".join(outcome.out.split())
    assert outcome.code == 0
    assert f"Example: cspanalyze {command}" in text
    if command not in ("paper", "render"):
        assert "is then executed" in text
    if command not in ("compare", "export", "models", "paper", "render", "sweep"):
        assert "BYPASS" in text


def test_without_arguments_comes_the_help(run: Any) -> None:
    outcome = run()
    assert outcome.code == 0
    assert all(f"  {command} " in outcome.out for command in COMMANDS)


def test_version(run: Any) -> None:
    from cspanalyze import __version__

    assert run("--version").out == f"cspanalyze {__version__}\n"


def test_completion_of_network_names(process: Any) -> None:
    words = {"COMP_WORDS": "cspanalyze cio resnex", "COMP_CWORD": "2", "_CSPANALYZE_COMPLETE": "complete_bash"}
    assert process(**words).out.split() == ["resnext101_32x8d", "resnext50_32x4d"]
