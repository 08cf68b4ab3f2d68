"""Whatever the arguments, every command works, or refuses them in one sentence with exit code 2."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import typer
from hypothesis import event, example, given
from hypothesis import strategies as st
from robustness.conftest import MANY, call, is_clear, left_over

from cspanalyze.cli import _app

GOOD = "nets.py:Tiny"
MODELS = [
    "nets.py:Mlp", "nets.py:Nope", "nets.py", "nets:Tiny", "", " ",
    "-", "--", ".", "/", "a.cfg", "a.pt2", "a.json", "hf:a.json", "timm:", "timm:nope", "torchvision:", "builtin:x",
    "resnet18", "resnet1", "x:y:z", "../../etc/passwd", "nets.py:Tiny()", "nets.py:Tiny.forward", "\u2028",
]  # fmt: skip
VALUES = [
    "0", "1", "2", "-1", "0.5", "1e400", "nan", "inf", "99999999999999999999", "1_000", "", " ", "x", "1x3x32x32",
    "1x3x32x32:float16", "x=1x3x8x8", "1x16", "0x3x8x8", "1x3x0x8", "1x3x-8x8", "3x8x8", "1x3x99999999999x8", "width=4",
    "width=x", "width=-1", "blocks=0", "=1", "stage", "module", "layer", "op", "nets.py:Tiny", "a.json", "a.csv",
    "a.svg", "a.html", "a.toml", "nowhere/a.json", "a", ".json", "macs", "cio", "macs,params", "all", "csp", "first",
    "last", "control", "*", "(", "[", "stage.0", "1,2", "1,,2", ".1:.9:.4", ".9:.1:.1", "0:1:0", "jetson_tx2", "é",
    "\udcff", "float16", "fvcore", "torch",
]  # fmt: skip
LIKELY = {
    "gamma": ["0.25", "0.5", ".75"], "stages": ["1", "stage"], "stage": ["1"], "depth": ["1", "2"], "top": ["1", "5"],
    "input": ["1x3x32x32", "2x3x16x24:float16"], "batch": ["1", "3"], "arg": ["width=4", "blocks=3"],
    "output": ["a.json", "a.html", "a.svg", "a.csv"], "profile": ["a100", "jetson_tx2", "all"],
    "highlight": ["stage.*", "conv1"], "capacity": ["1MiB", "65536"],
}  # fmt: skip
"""Values that options without choices take."""
SLOW = {"paper", "sweep", "latency"}
"""Commands that would list hundreds of networks, start processes, or run for seconds on some of these arguments."""
NOT_HERE = {"measured", "after_training", "workers", "scheduler", "measure", "draws", "debug"}
"""Options that train, measure or start processes have tests of their own; --debug asks for tracebacks."""


@functools.cache
def commands() -> dict[str, Any]:
    """Every command as the command line knows it."""
    found: dict[str, Any] = typer.main.get_command(_app()).commands  # type: ignore[attr-defined]
    return {name: command for name, command in found.items() if name not in SLOW}


def texts(length: int) -> st.SearchStrategy[str]:
    """What an operating system lets through as an argument: no NUL, but bytes that are no UTF-8."""
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.just("\udcff")
    return st.text(letters, max_size=length)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its own options, sensible and senseless values, and now and then something else."""
    name = draw(st.sampled_from(sorted(commands())))
    options = [each for each in commands()[name].params if each.name not in NOT_HERE]
    words: list[str] = []
    for parameter in options:
        if parameter.param_type_name == "argument":
            count = draw(st.sampled_from([2, 2, 3] if name == "compare" else [1, 1, 1, 1, 1, 1, 0, 2]))
            words += [draw(st.just(GOOD) | st.just(GOOD) | st.sampled_from(MODELS)) for _ in range(count)]
    named = [each for each in options if each.param_type_name == "option"]
    for parameter in draw(st.lists(st.sampled_from(named), max_size=draw(st.sampled_from([0, 1, 1, 2, 4])))):
        words.append(draw(st.sampled_from(parameter.opts)))
        if not parameter.is_flag:
            known = list(getattr(parameter.type, "choices", ()))
            likely = [str(choice) for choice in known] or LIKELY.get(str(parameter.name), VALUES)
            words.append(draw(st.sampled_from(likely) | st.sampled_from(likely) | st.sampled_from(VALUES) | texts(6)))
    if draw(st.integers(0, 19)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(texts(8)))
    return [name, *words]


@MANY
@given(words=command_lines())
@example(words=["cio", "nets.py:Tiny", "--csp", "--gamma", "nan"])
@example(words=["cio", "\udcff.py:Tiny"])
@example(words=["summary", "nets.py:Tiny", "-o", "a\udcff.json"])
def test_every_command(folder: Path, words: list[str]) -> None:
    outcome = call(words)
    event(f"exit code {outcome.code}")
    assert is_clear(outcome), (words, outcome)
    assert not left_over(folder)


@MANY
@given(words=st.lists(texts(10) | st.sampled_from([*commands(), *MODELS, *VALUES]), max_size=5))
def test_any_words(folder: Path, words: list[str]) -> None:
    if set(words) & SLOW:
        return
    outcome = call(words)
    assert is_clear(outcome), (words, outcome)
    assert not left_over(folder)
