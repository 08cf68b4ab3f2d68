"""`--input` and `--arg`, which need no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cspanalyze.errors import UsageError
from cspanalyze.sources import InputSpec, parse_arguments, parse_input, parse_inputs


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1x3x224x224", InputSpec((1, 3, 224, 224))),
        ("1x3x224x224:float16", InputSpec((1, 3, 224, 224), "float16")),
        ("ids=1x128:int64", InputSpec((1, 128), "int64", "ids")),
        ("x=7", InputSpec((7,), "", "x")),
    ],
)
def test_an_input_is_read_and_written_alike(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec
    assert str(spec) == text


@pytest.mark.parametrize("text", ["", "3xx", "1x-3", "1x3:", "1,3,224", "x", "1 x 3", "a b=1x3", "1x3:float16:int8"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected sizes joined by x"):
        parse_input(text)


def test_a_size_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="size of 0"):
        parse_input("1x0x4")


def test_an_unknown_dtype_suggests_known_ones() -> None:
    with pytest.raises(UsageError, match=r"did you mean .*float32"):
        parse_input("1x3:float23")


def test_a_keyword_cannot_be_given_twice() -> None:
    with pytest.raises(UsageError, match="'a' twice"):
        parse_inputs(("a=1", "1x2", "a=2"))


def test_arguments_are_literals_words_or_text() -> None:
    given = ["a=1", "b=2.5", "c=(1, 2)", "d=None", "e=true", "f=False", "g=relu", "h='1'", "i=", "j=a=b"]
    assert parse_arguments(given) == {
        "a": 1, "b": 2.5, "c": (1, 2), "d": None, "e": True, "f": False, "g": "relu", "h": "1", "i": "", "j": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a", "=1", "a b=1", "1a=2"])
def test_an_argument_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected key=value"):
        parse_arguments([text])


def test_an_argument_cannot_be_given_twice() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_arguments(["a=1", "a=2"])


def test_importing_the_sources_imports_no_torch() -> None:
    code = "import sys, cspanalyze.sources; sys.exit(any(name in sys.modules for name in ('torch', 'timm', 'rich')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
