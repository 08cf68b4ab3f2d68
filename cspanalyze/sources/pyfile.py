"""`path/file.py:callable`: a network from the user's own file, which is executed."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import attribute, check_module, construct, in_one_line, searching, seeded
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Source
from cspanalyze.sources.torchvision_import import with_torchvision

if TYPE_CHECKING:
    from torch import nn

GUESS = (InputSpec((1, 3, 224, 224)),)
"""What a network of unknown input is fed."""


def build(text: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Execute the file and call what it defines, with `arguments`."""
    path, _, name = text.rpartition(":") if not text.endswith(".py") else (text, "", "")
    file = Path(path)
    if not name:
        raise SourceError(f"{text} names a file but nothing in it: expected {text.rstrip(':')}:CALLABLE")
    with searching(str(file.resolve().parent), first=True):
        found = attribute(execute(file), name, str(file))
        model, note = call_or_take(found, arguments, text, real)
    return Built(model, GUESS, guessed=True, note=note)


def execute(file: Path) -> ModuleType:
    """The module that a Python file defines.

    Raises:
        SourceError: there is no such file, or it raises.
    """
    if not file.is_file():
        raise SourceError(f"there is no file {file}{_python_files_beside(file)}")
    # Modules look themselves up by name (dataclasses do), so it needs one, and two files of one name need two.
    digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    name = f"{file.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise SourceError(f"{file} is no Python file: expected a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    sys.modules[name] = module
    try:
        with seeded():  # the file may make networks of its own
            with_torchvision(lambda: loader.exec_module(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise SourceError(f"{file} cannot be executed: {in_one_line(error)}{_line_of(error, file)}") from error
    return module


def call_or_take(found: Any, arguments: Mapping[str, Any], what: str, real: bool) -> tuple[nn.Module, str]:
    """The network that a user's object stands for: itself if it is one, otherwise what calling it returns."""
    from torch import nn

    if isinstance(found, nn.Module):
        if arguments:
            raise SourceError(f"{what} is a network already: --arg needs a class or function")
        return found, ""
    if not callable(found):
        return check_module(found, what), ""
    return construct(found, arguments, what, real)


def _line_of(error: BaseException, file: Path) -> str:
    """Where in the user's own file the exception came from."""
    own = str(file.resolve())
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == own else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == own:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def _python_files_beside(file: Path) -> str:
    beside = [other.name for other in file.parent.glob("*.py")] if file.parent.is_dir() else []
    return did_you_mean(file.name, beside)


SOURCE = Source(
    prefix="",
    title="Python file",
    claims=lambda text: ".py:" in text or text.endswith(".py"),
    build=build,
)
