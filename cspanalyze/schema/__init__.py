"""JSON Schema of a saved run: `run.schema.json`, generated from the record classes so that the two cannot disagree.

`python -m cspanalyze.schema` prints it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.resources import files
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cspanalyze.gradient_flow.measured import GradientMeasurement
from cspanalyze.gradient_flow.record import GradientRecords
from cspanalyze.results import KINDS, SCHEMA_VERSION

_SCALARS: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def run_schema() -> dict[str, Any]:
    """The schema that the package ships, for validating what `--json` writes."""
    shipped: dict[str, Any] = json.loads(files(__name__).joinpath("run.schema.json").read_text(encoding="utf-8"))
    return shipped


def generate() -> dict[str, Any]:
    """The schema as the record classes define it now."""
    definitions: dict[str, Any] = {}
    records = {**KINDS, "gradients": GradientRecords, "gradient_measurement": GradientMeasurement}
    kinds = [_top(kind, cls, definitions) for kind, cls in records.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A run of cspanalyze",
        "description": "A network's figures, or those of several side by side; a list of networks; a paper's tables.",
        "oneOf": kinds,
        "$defs": dict(sorted(definitions.items())),
    }


def _top(kind: str, cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    body = _object(cls, definitions)
    body["properties"] = {"schema": {"const": SCHEMA_VERSION}, "kind": {"const": kind}, **body["properties"]}
    body["required"] = ["schema", "kind", *body["required"]]
    return body


def _object(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {
        "type": "object",
        "description": (cls.__doc__ or "").strip().partition("\n")[0],
        "properties": {each.name: _type(hints[each.name], definitions) for each in fields(cls)},
        # The package writes every field; files by others may leave out those that have a default.
        "required": [each.name for each in fields(cls) if each.default is MISSING],
        "additionalProperties": False,
    }


def _type(annotation: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    if is_dataclass(annotation) and isinstance(annotation, type):
        if annotation.__name__ not in definitions:
            definitions[annotation.__name__] = {}  # a record that holds itself would never end
            definitions[annotation.__name__] = _object(annotation, definitions)
        return {"$ref": f"#/$defs/{annotation.__name__}"}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (Union, UnionType) and any(map(is_dataclass, parts)):
        return {"anyOf": [_type(part, definitions) for part in parts]}
    if origin in (Union, UnionType):
        return {"type": [_SCALARS[part] for part in parts]}
    if origin is tuple and parts[-1] is Ellipsis:
        return {"type": "array", "items": _type(parts[0], definitions)}
    if origin is tuple:
        prefix = [_type(part, definitions) for part in parts]
        return {"type": "array", "prefixItems": prefix, "items": False, "minItems": len(parts)}
    raise TypeError(f"no JSON type is written for {annotation}")
