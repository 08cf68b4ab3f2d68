"""`package.module:callable`: a network from anything that can be imported."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import attribute, in_one_line, searching
from cspanalyze.sources.pyfile import GUESS, call_or_take
from cspanalyze.sources.request import Built, Source
from cspanalyze.sources.torchvision_import import with_torchvision


def build(text: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Import the module, also from the working directory, and call what it defines with `arguments`."""
    path, _, name = text.partition(":")
    if not name or not all(part.isidentifier() for part in [*path.split("."), *name.split(".")]):
        raise SourceError(
            f"cannot read the model {text!r}: expected a built-in name, timm:NAME, torchvision:NAME, "
            "path/net.cfg, package.module:CALLABLE or path/file.py:CALLABLE"
        )
    with searching(os.getcwd(), first=False):
        found = attribute(_import(path, text), name, f"the module {path}")
        model, note = call_or_take(found, arguments, text, real)
    return Built(model, GUESS, guessed=True, note=note)


def _import(path: str, text: str) -> Any:
    try:
        return with_torchvision(lambda: importlib.import_module(path))
    except ModuleNotFoundError as error:
        if error.name is None or not (path == error.name or path.startswith(f"{error.name}.")):
            raise SourceError(f"the module {path} needs {error.name}, which is not installed") from error
        raise SourceError(
            f"there is no module {error.name!r} for the model {text!r}: expected a prefix timm: or torchvision:, "
            "or a module that Python can import from here"
        ) from error
    except (Exception, SystemExit) as error:
        raise SourceError(f"the module {path} cannot be imported: {in_one_line(error)}") from error


SOURCE = Source(prefix="", title="Python module", claims=lambda text: ":" in text, build=build)
