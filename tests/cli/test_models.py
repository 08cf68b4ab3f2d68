"""`cspanalyze models`: short where it is long, complete where it is short."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from cspanalyze import zoo
from cspanalyze.results import Networks, from_json
from cspanalyze.schema import run_schema


def test_a_long_list_has_a_line_for_every_network(run: Any) -> None:
    lines = run("models").out.splitlines()
    assert lines[0] == f"{len(zoo.names())} networks, built in"
    assert [line.split()[0] for line in lines[4:] if line][: len(zoo.names())] == list(zoo.names())
    row = next(line for line in lines if line.startswith("csppeleenet-fusion-last "))
    assert row.endswith("reconstruction, BFLOPs -0.4 %")  # 0.8015 / 0.805 - 1


def test_a_short_list_says_everything(run: Any) -> None:
    text = " ".join(run("models", "cspresnet10").out.split())
    assert "reconstruction, weights +27.2 %, BFLOPs -26.9 %" in text
    assert "ResNet-10 by the rule of the authors' CSPResNet-50" in text


def test_json_has_a_schema(run: Any) -> None:
    data = json.loads(run("models", "--json").out)
    jsonschema.validate(data, run_schema())
    record = from_json(data)
    assert isinstance(record, Networks)
    assert tuple(model.name for model in record.models) == zoo.names()
    told = {model.name for model in record.models if "reconstruction" in model.note}
    assert told == {name for name, entry in zoo.NETWORKS.items() if entry.reconstruction}
