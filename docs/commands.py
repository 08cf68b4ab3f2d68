"""Writes commands.md, the reference of the command line, from the command line itself: `python docs/commands.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from cspanalyze.cli import _app
from cspanalyze.cli.help import Examples, Program, Purpose
from cspanalyze.cli.session import PROGRAM

PAGE = Path(__file__).with_name("commands.md")
_HEAD = """# Commands

<!-- Written by `python docs/commands.py` from the command line itself: change the options there. -->

What each option counts is explained in [concepts](concepts.md); completion, defaults from a file, exit codes and
progress in [the shell](shell.md).
"""


def page() -> str:
    """The whole page."""
    os.environ["NO_COLOR"] = "1"
    program: Any = typer.main.get_command(_app())
    context = program.make_context("cspanalyze", ["--quiet"], resilient_parsing=True)
    names = program.list_commands(context)
    parts = [_HEAD]
    for purpose in Purpose:
        of_purpose = [name for name in names if program.commands[name].rich_help_panel == purpose]
        links = (f"* [`{name}`](#{name}): {_first(program.commands[name].help)}" for name in of_purpose)
        parts.append(f"**{purpose}**\n\n" + "\n".join(links) + "\n")
    for name in names:
        parts.append("\n".join(_section(name, program.commands[name], context)))
    parts.append("## Options of the program\n\nBefore the command or behind it; every command has them.\n")
    parts.append("\n".join(_table(_records(program, context)[PROGRAM])))
    parts.append("\n".join(_examples(Program.examples)))
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, command: Any, parent: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=name, parent=parent)
    yield f"## {name}\n"
    yield f"```\ncspanalyze {name} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield f"{_escaped(command.help)}\n"
    for panel, records in _records(command, context).items():
        if panel != PROGRAM:
            yield f"**{panel}**\n"
            yield from _table(records)
            yield ""
    yield from _examples(command.examples)


def _records(command: Any, context: Any) -> dict[str, list[tuple[str, str]]]:
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            argument = parameter.param_type_name == "argument"
            panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or PROGRAM
            panels.setdefault(panel, []).append(record)
    return panels


def _table(records: list[tuple[str, str]]) -> Iterator[str]:
    yield "| | |\n| --- | --- |"
    for names, text in records:
        yield f"| `{names.replace('|', chr(92) + '|')}` | {_escaped(' '.join(text.split()))} |"


def _examples(examples: Examples) -> Iterator[str]:
    yield "**Examples**\n\n```"
    yield "\n\n".join(f"# {what}\n{line}" for what, line in examples)
    yield "```\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")


def _first(text: str) -> str:
    return _escaped(text.partition("\n")[0])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
