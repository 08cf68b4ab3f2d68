"""Defaults of options from a file: `cspanalyze.toml`, or the table `[tool.cspanalyze]` of `pyproject.toml`.

The nearest one counts, from the working directory upwards. Keys are options without their dashes; those of the file's
top level are for every command that has the option, those of a table `[COMMAND]` for that one. The command line beats
the file: a default that contradicts what is written there is left out.
"""

import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typer import Context, TyperException

from cspanalyze.cli.options import FORMATS, OutputOptions, PartialOptions
from cspanalyze.cli.session import note, session
from cspanalyze.errors import RangeError, UsageError

_NAMES = ("cspanalyze.toml", "pyproject.toml")
_BESIDES_A_FILE = {
    "output", "rows-file", "force", "record", "resume", "update", "debug", "quiet", "verbose", "no-config",
}  # fmt: skip
"""Options that are of one run: a file must not set them."""
_EXECUTED = {"input-from", "data"}
"""Options that name code: a file in some folder above must not be able to run it."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file and its table."""

    path: Path
    table: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The file as seen from the working directory."""
        return os.path.relpath(self.path)


def with_defaults(ctx: Context, values: dict[str, Any], kind: type) -> dict[str, Any]:
    """The values of a command's options, with the file's defaults for those that the command line does not give.

    `kind` is the dataclass of the options.

    Raises:
        UsageError: the file cannot be read, or a key or a value in it is off.
    """
    file = None if session().no_config else _found()
    if file is None:
        return values
    group = ctx.find_root().command
    known = {name: _keys(command) for name, command in group.commands.items()}  # type: ignore[attr-defined]
    _check_keys(file, known)
    wanted = _wanted(file, ctx, kind, known[str(ctx.info_name)], values)
    values, used = _fitting(file, wanted, values, kind)
    if used:
        session().defaults = f"defaults of {file.name}: {shlex.join(_words(used))}"
    return values


def _words(used: Mapping[str, Any]) -> list[str]:
    """Options as they would be written on the command line."""
    words = []
    for key, value in used.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not False:
                words += [f"--{key}"] if each is True else [f"--{key}", str(each)]
    return words


def _found() -> ConfigFile | None:
    """The nearest file with a table of ours."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return None
    for path in (folder / name for folder in (here, *here.parents) for name in _NAMES):
        table = _table(path)
        if table is not None:
            return ConfigFile(path, table)
    return None


def _table(path: Path) -> Mapping[str, Any] | None:
    own = path.name == _NAMES[0]
    try:
        data = path.read_bytes()
        if not own and b"cspanalyze" not in data:
            return None
        table = tomllib.loads(data.decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{os.path.relpath(path)} cannot be read: {said} (--no-config leaves it out)") from error
    if own:
        return table
    tools = table.get("tool", {})
    found = tools.get("cspanalyze") if isinstance(tools, dict) else None
    return found if isinstance(found, dict) else None


def _keys(command: Any) -> dict[str, Any]:
    """The options of a command that a file may set, by key."""
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    formats = [option for option in options if option.is_flag and option.name in FORMATS]
    keys = {option.name.replace("_", "-"): option for option in options if option not in formats}
    if formats:
        keys["format"] = None
    return {key: option for key, option in keys.items() if key not in {*_BESIDES_A_FILE, "help"}}


def _check_keys(file: ConfigFile, known: Mapping[str, Mapping[str, Any]]) -> None:
    everywhere = {key for keys in known.values() for key in keys}
    for key, value in file.table.items():
        if key in known and (isinstance(value, dict) or key not in everywhere):
            if not isinstance(value, dict):
                raise UsageError(f"{file.name}: {key} is a command: expected a table of its options, [{key}]")
            for inner in value:
                _check_key(file, inner, known[key], f" of `cspanalyze {key}`", f"{key}.")
        else:
            _check_key(file, key, everywhere, "", "", known)


def _check_key(
    file: ConfigFile, key: str, known: Any, where: str, prefix: str, commands: Mapping[str, Any] | None = None
) -> None:
    if key in _EXECUTED:
        raise UsageError(f"{file.name}: {prefix}{key} names code to execute: give it on the command line")
    if key in _BESIDES_A_FILE or (key in FORMATS and "format" in known and key not in known):
        instead = 'write format = "' + key + '"' if key in FORMATS else "give it on the command line"
        raise UsageError(f"{file.name}: {prefix}{key} cannot be set in a file: {instead}")
    if key not in known:
        near = get_close_matches(key, [*known, *(commands or ())], 1)
        hint = f": did you mean {prefix}{near[0]}?" if near else ": see the options that --help lists"
        raise UsageError(f"{file.name}: {prefix}{key} is no option{where}{hint}")


def _wanted(
    file: ConfigFile, ctx: Context, kind: type, keys: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, tuple[str, Any]]:
    """By key the field that it sets and the value, of all keys that the command line leaves open."""
    shared = {key: value for key, value in file.table.items() if not isinstance(value, dict)}
    if not issubclass(kind, PartialOptions):  # `sweep` means lists, and makes twins at once
        shared = {
            key: value for key, value in shared.items() if key not in {each.name for each in fields(PartialOptions)}
        }
    if not issubclass(kind, OutputOptions) or getattr(kind, "writes_a_page", False):
        shared.pop("format", None)
    table = file.table.get(str(ctx.info_name), {})
    own = table if isinstance(table, dict) else {}  # `csp` and `params` are options of others as well
    wanted: dict[str, tuple[str, Any]] = {}
    for key, value in {**shared, **own}.items():
        if key not in keys:
            continue
        if key == "format":
            if not any(values.get(name) for name in (*FORMATS, "output", "rows_file")):
                wanted |= {key: found for key, found in _format(file, value).items() if found[0] in values}
            continue
        option = keys[key]
        source = ctx.get_parameter_source(option.name)
        if source is None or source.name == "DEFAULT":
            wanted[key] = (option.name, _converted(file, ctx, key, option, value))
    return wanted


def _format(file: ConfigFile, value: Any) -> dict[str, tuple[str, Any]]:
    if value not in (*FORMATS, "table"):
        raise UsageError(f"{file.name}: format = {value!r} is not possible: choose from table, {', '.join(FORMATS)}")
    return {} if value == "table" else {"format": (value, True)}


def _converted(file: ConfigFile, ctx: Context, key: str, option: Any, value: Any) -> Any:
    """The value as the command line would have read it; a file that it names is one beside the configuration."""
    if option.is_flag != isinstance(value, bool):
        raise UsageError(
            f"{file.name}: {key} = {value!r} is not possible: expected "
            + ("true or false" if option.is_flag else "what the command line takes")
        )
    if isinstance(value, list) and not option.multiple:
        value = ",".join(map(str, value))
    elif option.multiple and not isinstance(value, list):
        value = [value]
    if key == "profile" and str(value).endswith(".toml"):
        value = os.path.relpath(file.path.parent / str(value))
    try:
        value = option.type_cast_value(ctx, value)
    except TyperException as error:
        raise UsageError(f"{file.name}: {key} = {value!r} is not possible: {error.message.rstrip('.')}") from error
    return list(value) if isinstance(value, tuple) else value


def _fitting(
    file: ConfigFile, wanted: Mapping[str, tuple[str, Any]], values: dict[str, Any], kind: type
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values with every default that fits the command line, and which these were."""
    left, used = dict(wanted), {}
    refused: dict[str, str] = {}
    progress = True
    while left and progress:  # one may need another: gamma is of use only with csp
        progress = False
        for key, (name, value) in list(left.items()):
            tried = {**values, name: value}
            try:
                _check(kind(**tried))
            except RangeError as error:
                raise UsageError(f"{file.name}: {error}") from error
            except UsageError as error:
                refused[key] = str(error)
                continue
            values, progress = tried, True
            used[key] = value if key != "format" else name
            del left[key]
    if session().verbose:
        for key in left:
            note(f"{file.name}: {key} is not used here: {refused[key]}")
    return values, used


def _check(options: Any) -> None:
    check = getattr(options, "check", None)
    if check is not None:
        check()
