"""`cspanalyze flops --engine` and the training step of `--train`."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import pytest

from cspanalyze.renderers import Style, render
from cspanalyze.results import from_json

needs_engines = pytest.mark.skipif(not (find_spec("fvcore") and find_spec("thop")), reason="engines not installed")


@needs_engines
def test_engines_stand_side_by_side(run: Any) -> None:
    record = from_json(json.loads(run("flops", "resnet18", "--engine", "all", "--json").out))
    macs = {row.module: row.value for row in record.result("engine_macs").rows}
    assert list(macs) == ["cspanalyze", "torch", "fvcore", "thop"]
    assert macs["cspanalyze"] == macs["torch"] == 1_814_073_344  # torchvision's published 1.814 G
    for engine, count in macs.items():
        reasons = [row.value for row in record.result("engine_reasons").rows if row.module == engine]
        assert sum(reasons) == count - macs["cspanalyze"]
    text = render(record, "table", Style(width=80))
    assert "adds BatchNorm2d" in text
    assert "+0.55 %" in text  # 2 x 2,483,712 elements normalised, twice, of 1,814,073,344
    assert max(map(len, text.splitlines())) <= 80


def test_an_engine_that_cannot_run_says_why(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cspanalyze.measure import engines

    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    text = run("flops", "resnet18", "--engine", "thop").out
    assert "unavailable: not installed (pip install thop)" in " ".join(text.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "abacus"], "there is no engine 'abacus'; known are torch, fvcore, thop"),
        (["--engine", "all", "--csp"], "leave out --csp"),
        (["--engine", "all", "--by", "op", "--train"], "leave out --train and --by"),
        (["--train", "--convention", "darknet"], "--convention darknet counts a forward pass"),
    ],
)
def test_options_that_exclude_each_other(run: Any, options: list[str], words: str) -> None:
    outcome = run("flops", "resnet18", *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_a_training_step(run: Any) -> None:
    record = from_json(json.loads(run("summary", "resnet18", "--train", "--json").out))
    totals = {result.metric: result.total for result in record.results}
    # Each layer twice, but for the first convolution: nobody asks for the gradient of the image.
    first = 112 * 112 * 64 * 3 * 49
    assert totals["backward_macs"] == 2 * totals["macs"] - first
    assert totals["gradient_bytes"] == 4 * totals["params"]
    assert totals["training_peak_bytes"] > totals["saved_bytes"] > 0
    assert record.subject.mode == "train"


def test_a_training_step_of_the_twin(run: Any) -> None:
    text = run("flops", "resnext50_32x4d", "--train", "--csp").out
    assert "backward MACs by " in " ".join(text.split())


def test_a_network_that_trains_on_targets_says_so(run: Any, torchvision_models: Any) -> None:
    outcome = run("summary", "torchvision:fasterrcnn_resnet50_fpn", "--train")
    assert outcome.code == 2
    assert "targets should not be none" in outcome.err
