"""The JSON Schema that the package ships."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from cspanalyze.renderers import Style, render
from cspanalyze.results import Comparison, Report, from_json
from cspanalyze.schema import generate, run_schema


def test_the_shipped_schema_is_the_one_of_the_records() -> None:
    assert run_schema() == generate(), "run: python -m cspanalyze.schema > cspanalyze/schema/run.schema.json"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(run_schema())


def test_what_is_written_validates_and_comes_back(base: Report, comparison: Comparison) -> None:
    for record in (base, comparison):
        data = json.loads(render(record, "json", Style()))
        jsonschema.validate(data, run_schema())
        assert from_json(data) == record


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("groups"),
        lambda data: data.update(schema=2),
        lambda data: data.update(kind="other"),
        lambda data: data.update(surprise=1),
        lambda data: data["results"][0].update(total="many"),
        lambda data: data["results"][0].update(method="guess"),
        lambda data: data["subject"]["versions"].append(["one"]),
    ],
)
def test_damaged_runs_are_refused(base: Report, damage: Any) -> None:
    data = json.loads(render(base, "json", Style()))
    damage(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, run_schema())
