"""Shell completion as bash, zsh and fish ask for it: in a process of its own, quick, and without torch."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from cspanalyze.cli.completion import _registered


def _asked(process: Any, shell: str, line: str, **more: str) -> list[str]:
    """What the shell is told for a line whose last word is being written."""
    words: dict[str, str] = {"_CSPANALYZE_COMPLETE": f"complete_{shell}", **more}
    if shell == "bash":
        parts = line.replace(":", " : ").split() if ":" in line else line.split(" ")
        words |= {"COMP_WORDS": " ".join(parts), "COMP_CWORD": str(len(parts) - 1)}
    else:
        words |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    outcome = process(**words)
    assert "Traceback" not in outcome.err
    text = outcome.out.replace("\\\\:", ":")
    if shell == "zsh":
        return [word.split('":"')[0].strip("\"()'") for word in text.partition("((")[2].splitlines()]
    return [word.split("\t")[0] for word in text.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cspanalyze cio resnex", ["resnext101_32x8d", "resnext50_32x4d"]),
        ("cspanalyze pl", ["plot"]),
        ("cspanalyze cio resnet50 --fus", ["--fusion"]),
        ("cspanalyze cio resnet50 --fusion f", ["first"]),
        ("cspanalyze plot resnet50 --metric cio", ["cio"]),
        ("cspanalyze flops resnet50 --engine torch,f", ["torch,fvcore"]),
        ("cspanalyze cio resnet50 --profile a1", ["a100_40gb"]),
        ("cspanalyze cio resnet50 -o table.m", ["table.md"]),
        ("cspanalyze cio nets", ["nets.py"]),
    ],
)
def test_words(process: Any, shell: str, line: str, expected: list[str]) -> None:
    assert _asked(process, shell, line) == expected


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_names_of_a_package_behind_its_colon(process: Any, timm: ModuleType, shell: str) -> None:
    found = _asked(process, shell, "cspanalyze cio timm:resnet50c")
    # bash replaces only what stands behind the colon.
    assert found == (["resnet50c"] if shell == "bash" else ["timm:resnet50c"])


def test_names_read_off_the_source_are_those_that_are_registered(timm: ModuleType) -> None:
    from cspanalyze.sources import torchvision

    assert set(_registered("torchvision")) == set(torchvision.names())
    assert set(timm.list_models()) <= set(_registered("timm"))


def test_nothing_heavy_is_loaded(process: Any) -> None:
    import subprocess

    code = (
        "import sys, contextlib, io\nfrom cspanalyze.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit): main([])\n"
        "print('timm:resnet50c' in out.getvalue(), *(n for n in ('torch', 'timm', 'rich') if n in sys.modules))"
    )
    import os

    environment = {
        **os.environ, "_CSPANALYZE_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": "cspanalyze cio timm:resnet50c",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["True"]


def test_scripts_for_the_shells(process: Any) -> None:
    for shell in ("bash", "zsh", "fish"):
        text = process(_CSPANALYZE_COMPLETE=f"source_{shell}").out
        assert "_CSPANALYZE_COMPLETE" in text
