"""Records -> the plain data that JSON holds, and back: every field by its name, none left out and none made up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from cspanalyze.errors import UsageError

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter

R = TypeVar("R")


def plain(record: Any) -> dict[str, Any]:
    """The fields of a record as dicts, lists, numbers and texts."""
    data: dict[str, Any] = _converter().unstructure(record)
    return data


def structured(data: Mapping[str, Any], kind: type[R], said: str) -> R:
    """Inverse of `plain`, from parsed JSON.

    Raises:
        UsageError: a field is missing, unknown or of the wrong type; the message is `said` and where.
    """
    try:
        return _converter().structure(data, kind)
    except Exception as error:  # cattrs raises groups of whatever each field raised
        from cattrs import transform_error

        raise UsageError(f"{said}: {transform_error(error)[0]}") from error


@cache
def _converter() -> JsonConverter:
    from cattrs.preconf.json import make_converter

    return make_converter(forbid_extra_keys=True, prefer_attrib_converters=False)
