"""--help, --version and completion: quick, because torch stays out."""

from __future__ import annotations

import os
import pkgutil
import pty
import shlex
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from typing import Any, get_type_hints

import pytest
import typer

from cspanalyze.cli import _app, commands
from cspanalyze.cli.help import Program, Purpose
from cspanalyze.cli.session import begin

COMMANDS = tuple(found.name.replace("_", "-") for found in pkgutil.iter_modules(commands.__path__))
WITHOUT_MODEL = ("doctor", "paper", "render")
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


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(run: Any, command: str) -> None:
    outcome = run(command, "--help")
    text = " ".join(outcome.out.split())
    assert outcome.code == 0
    assert f"Examples: # {_examples(command)[0][0]} cspanalyze {command}" in text
    if command not in WITHOUT_MODEL:
        assert "is then executed" in text
    if "--gamma" in text:
        assert "BYPASS" in text


def _examples(command: str) -> Any:
    return import_module(f"{commands.__name__}.{command.replace('-', '_')}").EXAMPLES


def _all_examples() -> list[str]:
    return [line for examples in (Program.examples, *map(_examples, COMMANDS)) for _, line in examples]


@pytest.mark.parametrize("line", _all_examples())
def test_examples_are_command_lines(line: str, folder: Any) -> None:
    """Every example is read as the command line reads it, and its options do not contradict each other."""
    begin()
    program, name, *arguments = shlex.split(line)
    assert program == "cspanalyze"
    command = typer.main.get_command(_app()).commands[name]  # type: ignore[attr-defined]
    context = command.make_context(name, arguments)
    module = import_module(f"{commands.__name__}.{name.replace('-', '_')}")
    kind = next(iter(get_type_hints(module.run).values()))
    options = kind(**{each.name: context.params[each.name] for each in fields(kind)})
    getattr(options, "check", lambda: None)()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_options_of_the_program(run: Any, command: str) -> None:
    text = run(command, "--help").out
    assert "\nProgram:\n  -q, --quiet " in text
    assert text.index("\nProgram:\n") > max(text.find(f"\n{panel}:\n") for panel in ("Output", "Rows and figures"))


def test_commands_stand_under_their_purpose(run: Any) -> None:
    text = run("--help").out
    places = [text.index(f"\n{purpose}:\n") for purpose in Purpose]
    assert places == sorted(places)
    assert places[0] < text.index("  summary ") < places[1]
    assert "..." not in text.partition("Cost of a network")[2].partition("Examples:")[0]  # no sentence is cut


def test_help_on_a_terminal() -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    command = [sys.executable, "-m", "cspanalyze", "cio", "--help"]
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                piece = os.read(leader, 4096)
            except OSError:
                break
            shown += piece
    os.close(leader)
    assert process.returncode == 0
    text = shown.decode()
    assert text.index("Network and input") < text.index("Output") < text.index("Program") < text.index("Examples")


def test_without_arguments_comes_the_help(run: Any) -> None:
    outcome = run()
    assert outcome.code == 0
    assert all(f"  {command} " in outcome.out for command in COMMANDS)


def test_version(run: Any) -> None:
    from cspanalyze import __version__

    assert run("--version").out == f"cspanalyze {__version__}\n"
