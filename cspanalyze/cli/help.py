"""The pages of --help: options by panel, commands by purpose, examples at the end; the same plain and on a terminal."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from typer.core import TyperCommand, TyperGroup

Examples = tuple[tuple[str, str], ...]
"""(what it does, command line) pairs; file names in them stand for files of the user."""


class Purpose(StrEnum):
    """What a command is for: the headings of the top-level help, in their order."""

    COST = "Cost of a network"
    COMPARISON = "Comparison and search"
    CSP = "Cross Stage Partial and gradients"
    PICTURES = "Pictures and pages"
    NETWORKS = "Networks and installation"


def command_class(examples: Examples) -> type[TyperCommand]:
    """The class of a command with these examples."""

    class Command(_Page, TyperCommand):
        """A command whose help ends with examples."""

    Command.examples = examples
    return Command


class _Page:
    """Help with panels and examples."""

    examples: Examples = ()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Options under the heading of their panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):  # type: ignore[attr-defined]
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or "Program"
                panels.setdefault(panel, []).append(record)
        _write(formatter, panels.items())
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A command has no commands."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Names of arguments as in any manual: without braces."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [piece.removeprefix("{").removesuffix("}").replace("[[", "[").replace("]]", "]") for piece in pieces]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The page of the framework, and the examples below."""
        super().format_help(ctx, formatter)  # type: ignore[misc]
        if self.rich_markup_mode is not None:  # type: ignore[attr-defined]
            _print_examples(self.examples)
            return
        with formatter.section("Examples"):
            for number, (what, line) in enumerate(self.examples):
                formatter.write("\n" if number else "")
                formatter.write_text(f"# {what}")
                formatter.write(f"  {line}\n")


class Program(_Page, TyperGroup):
    """The program: its commands by purpose."""

    examples: Examples = (
        ("all figures of a network, stage by stage", "cspanalyze summary resnet50"),
        ("convolutional input/output of a network and of its CSP twin", "cspanalyze cio resnet50 --csp --gamma 0.5"),
        ("your own model, and what it costs module by module", "cspanalyze flops net.py:build --by module --depth 2"),
        ("what is installed, and what is missing", "cspanalyze doctor"),
    )

    def list_commands(self, ctx: Any) -> list[str]:
        """Commands by purpose, then by name."""
        order = list(Purpose)
        return sorted(self.commands, key=lambda name: (order.index(self._purpose(name)), name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Commands under the heading of their purpose."""
        width = max(map(len, self.commands))
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            short = self.commands[name].get_short_help_str(formatter.width - 6 - width)
            groups.setdefault(self._purpose(name), []).append((name.ljust(width), short))
        _write(formatter, groups.items())

    def _purpose(self, name: str) -> Purpose:
        return Purpose(getattr(self.commands[name], "rich_help_panel", Purpose.NETWORKS))


def _write(formatter: Any, sections: Iterable[tuple[str, list[tuple[str, str]]]]) -> None:
    for title, rows in sections:
        with formatter.section(title):
            formatter.write_dl(rows)


def _print_examples(examples: Examples) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    text = Text()
    for number, (what, line) in enumerate(examples):
        text.append("\n\n" if number else "")
        text.append(f"# {what}\n", style="dim")
        text.append(line, style="cyan")
    Console().print(Panel(text, title="Examples", title_align="left", border_style="dim"))
