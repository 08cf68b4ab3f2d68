"""The command line: parse, run the pipeline, render. The only room that prints or exits. torch is not imported here."""

import errno
import importlib
import os
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from cspanalyze import __version__
from cspanalyze.cli import commands
from cspanalyze.cli.completion import join_words
from cspanalyze.cli.help import Program, command_class
from cspanalyze.cli.options import command_of
from cspanalyze.cli.session import PROGRAM, Debug, NoConfig, ProgramOptions, Quiet, Verbose, begin, session
from cspanalyze.errors import CspanalyzeError, OutputError

INTERNAL_ERROR, INTERRUPTED = 1, 130
_ABOUT = (
    "Where a PyTorch network spends its compute and memory traffic, and what its Cross Stage Partial twin would save."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 bad input, 3 incomplete under --strict, 4 beyond a limit,
    1 internal error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    begin()
    join_words()
    code = _guarded(lambda: _run(given or ["--help"]), debug="--debug" in given)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        # What `import torch` says where NumPy is not installed; nothing here needs it.
        warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
        # Not standalone: errors come here as exceptions.
        code = typer.main.get_command(_app())(args=arguments, prog_name="cspanalyze", standalone_mode=False)
    sys.stdout.flush()
    if code == INTERRUPTED:  # Typer makes an exit code of an interrupt
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _app() -> typer.Typer:
    """The Typer application, with every command of the `commands` package."""
    pretty = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    app = typer.Typer(
        help=_ABOUT,
        cls=Program,
        rich_markup_mode="rich" if pretty else None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_program)
    for found in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{found.name}")
        app.command(
            found.name.replace("_", "-"), cls=command_class(module.EXAMPLES), rich_help_panel=module.PURPOSE.value
        )(command_of(module.run))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"cspanalyze {__version__}")
        raise typer.Exit


def _program(
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_config: NoConfig = False,
    debug: Debug = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the version and exit.",
            rich_help_panel=PROGRAM,
        ),
    ] = False,
) -> None:
    """Options of the program itself."""
    session().adopt(ProgramOptions(quiet, verbose, no_config, debug))


def _guarded(run: Callable[[], int], *, debug: bool) -> int:
    """The exit code of `run`, with every error told in one sentence."""
    try:
        return run()
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise  # Typer itself exits only because of a broken pipe
        # The reader (`| head`) has what it wanted. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code, sentence = _told(error, debug)
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr)
    return code


def _told(error: BaseException, debug: bool) -> tuple[int, str]:
    """Exit code and sentence for an error."""
    match error:
        case CspanalyzeError():
            return error.exit_code, str(error)
        case typer.TyperException():
            return error.exit_code, error.format_message()
        case KeyboardInterrupt() | typer.Abort():
            return INTERRUPTED, "interrupted"
        case OSError(errno=code) if code in (errno.ENOSPC, errno.EIO):
            return OutputError.exit_code, f"cannot write to standard output: {error.strerror}"
    hint = "" if debug else " (--debug shows where; please report it)"
    return INTERNAL_ERROR, f"internal error, {type(error).__name__}: {_first_line(error)}{hint}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or "no message"


def _show_warning(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)
