"""How one run of the command line behaves: what every command takes beside its own options."""

import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from cspanalyze.errors import UsageError

PROGRAM = "Program"


def _flag(help: str, *names: str) -> Any:
    return Option(*names, help=help, rich_help_panel=PROGRAM)


Quiet = Annotated[bool, _flag("No progress and no notes on standard error.", "--quiet", "-q")]
Verbose = Annotated[bool, _flag("Say on standard error what is done, and how long it took.", "--verbose", "-v")]
NoConfig = Annotated[bool, _flag("Read no defaults from cspanalyze.toml or pyproject.toml.", "--no-config")]
Debug = Annotated[bool, _flag("Show the traceback of an error.", "--debug")]


@dataclass(frozen=True)
class ProgramOptions:
    """Options of the program itself: before the command or behind it."""

    quiet: Quiet = False
    verbose: Verbose = False
    no_config: NoConfig = False
    debug: Debug = False


@dataclass
class Session:
    """What is known of the present run; `defaults` says which defaults came from a file, and from which."""

    quiet: bool = False
    verbose: bool = False
    no_config: bool = False
    defaults: str = ""
    defaults_told: bool = False

    def adopt(self, options: ProgramOptions) -> None:
        """Add what the options ask for.

        Raises:
            UsageError: quiet and verbose at once.
        """
        self.quiet |= options.quiet
        self.verbose |= options.verbose
        self.no_config |= options.no_config
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose contradict each other: choose one")

    def tell_defaults(self) -> str:
        """The note on defaults, for an output; "" if there were none."""
        self.defaults_told = True
        return self.defaults


_session: ContextVar[Session] = ContextVar("session")


def begin() -> None:
    """Begin a run."""
    _session.set(Session())


def session() -> Session:
    """The present run."""
    return _session.get()


def note(text: str) -> None:
    """Say something on standard error, unless it is to be quiet."""
    if not session().quiet:
        print(text, file=sys.stderr)
