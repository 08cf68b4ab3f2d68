"""Reading what was saved: a run, a report, a picture, gradient records or the rows of a sweep. No torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cspanalyze import results, study
from cspanalyze.designs import Designs, designs_from_json
from cspanalyze.diagrams.record import Diagram, diagram_from_json
from cspanalyze.diagrams.schematic import Schematic, schematic_from_json
from cspanalyze.errors import CspanalyzeError, UsageError
from cspanalyze.gradient_flow.measured import GradientMeasurement, measurement_from_json
from cspanalyze.gradient_flow.record import GradientRecord, record_from_json
from cspanalyze.limits import Check, check_from_json

Saved = (
    results.AnyRecord
    | study.Study
    | Diagram
    | Schematic
    | Designs
    | Check
    | GradientMeasurement
    | tuple[GradientRecord, ...]
)
SUFFIX, BASE = ".json", "base"


def read_saved(path: Path) -> Saved:
    """The record in a JSON file that a command wrote.

    Raises:
        UsageError: the file cannot be read, or holds no such record.
    """
    try:
        data = json.loads(_text(path))
    except ValueError as error:
        raise UsageError(f"{path} holds no JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no record of cspanalyze: expected what -o FILE.json writes")
    try:
        return _of_kind(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows that `cspanalyze sweep` writes: of a CSV file with a heading, or of JSON, whatever the file is called.

    JSON is a list of objects, or an object that holds such a list as `rows`; null stands for an empty cell.

    Raises:
        UsageError: the file cannot be read, or holds no rows.
    """
    text = _text(path)
    rows = _json_rows(text) if text.lstrip()[:1] in ("{", "[") else list(csv.DictReader(text.splitlines()))
    if not rows:
        raise UsageError(f"{path} has no rows: expected the CSV or JSON of `cspanalyze sweep`")
    return rows


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Inside, what cannot be drawn or written is the fault of the file: each part of its record may be valid alone.

    Raises:
        UsageError: anything was raised that is no error of this package.
    """
    try:
        yield
    except CspanalyzeError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise UsageError(f"{path} holds a record that contradicts itself, so it cannot be shown ({said})") from error


def _json_rows(text: str) -> list[dict[str, str]]:
    """The rows, each with every column that any has; none if the text is something else."""
    try:
        data = json.loads(text)
    except ValueError:
        return []
    rows = data.get("rows") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return []
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{name: "" if row.get(name) is None else str(row[name]) for name in columns} for row in rows]


def _of_kind(data: dict[str, Any]) -> Saved:
    if not isinstance(data.get("kind", ""), str):
        raise UsageError("this is no record of cspanalyze: its kind is no word")
    if data.get("kind") == study.KIND:
        return study.from_json(data)
    if data.get("kind") == "diagram":
        return diagram_from_json(data)
    if data.get("kind") == "schematic":
        return schematic_from_json(data)
    if data.get("kind") == "gradients":
        networks = data.get("networks")
        if not isinstance(networks, list) or not all(isinstance(each, dict) for each in networks):
            raise UsageError("this is no gradient record")
        return tuple(_gradients(each) for each in networks)
    if data.get("kind") == "gradient_measurement":
        return measurement_from_json(data)
    if data.get("kind") == "check":
        return check_from_json(data)
    if data.get("kind") == "designs":
        return designs_from_json(data)
    return results.from_json(data)


def named(variant: str, record: GradientRecord) -> GradientRecord:
    """The record under the name that tells it from those of its variants."""
    return record if variant == BASE else replace(record, network=f"{record.network} {variant}")


def _gradients(network: dict[str, Any]) -> GradientRecord:
    return named(str(network.get("variant", BASE)), record_from_json(network.get("record", {})))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"cannot read {path}: {said}") from error
