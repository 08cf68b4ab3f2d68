"""`stages` and `csp`: what can be made partial, and what is made of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

CHAIN = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.two = nn.Conv2d(32, 32, 1)

    def forward(self, x):
        return x + self.two(torch.relu(self.one(x)))


class Reading(nn.Module):
    # Reads the output of its first block twice.
    def __init__(self):
        super().__init__()
        self.first, self.second = Block(), Block()

    def forward(self, x):
        x = self.first(x)
        return self.second(x) + x


def net():
    return nn.Sequential(nn.Conv2d(3, 32, 3), Block(), Block(), nn.Conv2d(32, 64, 3, 2), Reading())


def one():
    return nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU())
"""


def test_stages_and_refusals(run: Run, folder: Path) -> None:
    (folder / "chain.py").write_text(CHAIN.replace("Conv2d(32, 64, 3, 2)", "Conv2d(32, 32, 3, 2)"))
    outcome = run("stages", "chain.py:net", "--input", "1x3x34x34", "--json")
    assert outcome.code == 0
    listing = json.loads(outcome.out)
    found = {stage["stage"]: stage for stage in listing["stages"]}
    assert (found["1..2"]["modules"], found["1..2"]["blocks"], found["1..2"]["channels"]) == (["1", "2"], 2, 32)
    assert (found["1..2"]["height"], found["1..2"]["width"], found["1..2"]["presets"]) == (32, 32, ["dropin"])
    # 1 and 2 are a chain; the two blocks of Reading are none, but Reading as a whole keeps its shape.
    assert [stage["modules"] for stage in listing["stages"]] == [["1", "2"], ["4"]]


def test_no_stage_says_what_was_looked_at(run: Run, folder: Path) -> None:
    (folder / "chain.py").write_text(CHAIN)
    outcome = run("stages", "chain.py:one")
    assert outcome.code == 0
    assert "0 stages" in outcome.out
    assert "no staged convolution chain found" in outcome.out
    refused = run("csp", "chain.py:one")
    assert refused.code == 2
    assert refused.err.startswith("error: no staged convolution chain found; CSP splits the channels of N,C,H,W maps")


FLAT = """
from torch import nn

def six():
    return nn.Sequential(*(nn.Sequential(nn.Conv2d(2 + n, 3 + n, 3), nn.Conv2d(3 + n, 3 + n, 1)) for n in range(1, 7)))
"""


def test_without_a_stage_all_that_was_looked_at_is_listed(run: Run, folder: Path) -> None:
    (folder / "flat.py").write_text(FLAT)
    listing = json.loads(run("stages", "flat.py:six", "--input", "1x3x32x32", "--json").out)
    assert [each["module"] for each in listing["refused"]] == ["0", "1", "2", "3", "4", "5"]
    assert listing["refused"][5]["reason"] == "makes 9x20x20 of 8x22x22"
    assert listing["reason"].endswith("between blocks of equal shape")
    assert run("csp", "flat.py:six", "--input", "1x3x32x32").err.count("Sequential") == 4  # one sentence: the first


def test_stages_as_csv(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("stages", "resnet18", "--csv").out)))
    assert [(row["module"], row["channels"], row["presets"]) for row in rows if row["kind"] == "stage"] == [
        ("layer1", "64", "paper dropin"),
        ("layer2", "128", "paper dropin"),
        ("layer3", "256", "paper dropin"),
        ("layer4", "512", "paper dropin"),
    ]


def test_a_twin_as_source(run: Run, folder: Path) -> None:
    (folder / "chain.py").write_text(CHAIN)
    outcome = run("csp", "chain.py:net", "--arg", "x=1")
    assert outcome.code == 2
    asked = ("csp", "torchvision:squeezenet1_1", "--gamma", "0.25", "-o", "twin.py")
    outcome = run(*asked)
    assert outcome.code == 0
    assert outcome.err == "wrote twin.py\n"
    assert "dropin" in outcome.out
    text = (folder / "twin.py").read_text()
    assert text.startswith('"""The Cross Stage Partial twin of torchvision:squeezenet1_1: gamma 0.25, fusion csp,')
    again = run(*asked)
    assert (again.code, again.err) == (2, "error: twin.py exists: give --force to overwrite it\n")


def test_control_is_a_third_network(run: Run) -> None:
    outcome = run("flops", "resnet18", "--csp", "--control", "--json")
    assert [report["subject"]["variant"] for report in json.loads(outcome.out)["variants"]] == ["CSP", "control"]
    alone = run("flops", "resnet18", "--control")
    assert alone.code == 2
    assert "add --csp to ask for one" in alone.err
