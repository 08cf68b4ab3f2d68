"""Call what builds a network, and say in one sentence what is wrong when it does not."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.torchvision_import import with_torchvision

if TYPE_CHECKING:
    from torch import nn


_SEED = ContextVar("seed", default=0)


def construct(
    build: Callable[..., Any], arguments: Mapping[str, Any], what: str, real: bool = False
) -> tuple[nn.Module, str]:
    """The network that `build(**arguments)` returns, on the meta device, and a note ("" if there is nothing to say).

    A constructor that needs real numbers (`torch.linspace(...).item()`) cannot run on meta: it is called again with
    real weights, and the note says so. With `real` only that is done.

    Raises:
        SourceError: the call raises, or returns no `torch.nn.Module`.
    """
    from cspanalyze.tracing import building

    note = ""
    if not real:
        try:
            with building():
                return check_module(with_torchvision(lambda: build(**arguments)), what), ""
        except SourceError:
            raise
        except Exception as error:
            note = f"built with real weights, because it cannot be built on the meta device ({in_one_line(error)})"
        except SystemExit as error:
            raise SourceError(f"{what} cannot be built{_given(arguments)}: {in_one_line(error)}") from error
    try:
        with seeded():
            return check_module(with_torchvision(lambda: build(**arguments)), what), note
    except SourceError:
        raise
    except (Exception, SystemExit) as error:
        raise SourceError(f"{what} cannot be built{_given(arguments)}: {in_one_line(error)}") from error


def _given(arguments: Mapping[str, Any]) -> str:
    """The arguments that a user gave; those that a source adds are None, False or of its own kind."""
    plain = [f"{key}={value!r}" for key, value in arguments.items() if value and isinstance(value, int | float | str)]
    return f" with {', '.join(plain)}" if plain else ""


@contextmanager
def seeded() -> Iterator[None]:
    """Inside, torch draws the same numbers in every run; outside, its random state is untouched."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED.get())
        yield


@contextmanager
def weights_drawn(seed: int) -> Iterator[None]:
    """Inside, networks with numbers get those of this seed; everywhere else those of seed 0."""
    token = _SEED.set(seed)
    try:
        yield
    finally:
        _SEED.reset(token)


def check_module(built: Any, what: str) -> nn.Module:
    """The argument, if it is a network.

    Raises:
        SourceError: it is something else.
    """
    from torch import nn

    if isinstance(built, type) and issubclass(built, nn.Module):
        raise SourceError(f"{what} gives the class {built.__name__}, and no network: call it, {built.__name__}(...)")
    if not isinstance(built, nn.Module):
        raise SourceError(f"{what} gives an object of type {type(built).__name__}, and no torch.nn.Module")
    return built


def import_package(name: str, prefix: str) -> ModuleType:
    """Import an optional package of networks.

    Raises:
        SourceError: it is not installed, or raises on import.
    """
    try:
        return with_torchvision(lambda: importlib.import_module(name))
    except ModuleNotFoundError as error:
        missing = error.name or name
        raise SourceError(
            f"{prefix}: names need the package {missing}, which is not installed: pip install {missing}"
        ) from error
    except Exception as error:
        raise SourceError(f"the package {name} cannot be imported: {in_one_line(error)}") from error


def attribute(module: ModuleType, path: str, where: str) -> Any:
    """The object at a dotted path in a module.

    Raises:
        SourceError: there is none.
    """
    found: Any = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            public = [name for name in dir(found) if not name.startswith("_")]
            raise SourceError(f"{where} has no {path!r}{did_you_mean(part, public)}") from None
    return found


def in_one_line(error: BaseException, limit: int = 200) -> str:
    """An exception as `Type: what it says`, in one sentence."""
    said = str(error).strip()
    return in_one_sentence(f"{type(error).__name__}: {said}" if said else type(error).__name__, limit)


def in_one_sentence(text: str, limit: int = 300) -> str:
    """The first line; where it is longer than `limit` characters its first sentence, cut to them.

    What torch says of an operator that a device lacks is one line of 700 characters and more, of which the first
    sentence says what is wrong.
    """
    line = text.strip().partition("\n")[0].strip()
    if len(line) <= limit:
        return line
    # Not at the stop of an abbreviation or an ellipsis, and where a new sentence begins.
    sentence = re.split(r"(?<!e\.g)(?<!i\.e)(?<!etc)(?<!\.)[.!?] +(?=[A-Z])", line, maxsplit=1)[0].rstrip(".")
    return sentence if len(sentence) <= limit else f"{sentence[: limit - 3]}..."


@contextmanager
def searching(folder: str, *, first: bool) -> Iterator[None]:
    """Inside, modules are looked for in `folder` too, before or after everywhere else."""
    sys.path.insert(0 if first else len(sys.path), folder)
    try:
        yield
    finally:
        if folder in sys.path:  # the user's code may have changed the path itself
            sys.path.remove(folder)
