"""What would fill the memory of the machine is refused with an estimate, before anything is allocated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from robustness.conftest import call

CHOOSING = """
from torch import nn


class Choosing(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        return y * 2 if y.mean().item() > 0 else y
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        # 3 x 200000 x 200000 float32 are 480 GB of input, the map of 8 channels is 1280 GB
        (["--input", "1x3x200000x200000"], "the control flow of choosing.py:Choosing depends on data, and running it"),
        # weights: 3 x 3 x 3 x 10**11 float32
        (["--arg", "width=100000000000", "--input", "1x3x1x1"], "depends on data"),
    ],
)
def test_a_network_that_has_to_run_on_real_numbers(folder: Path, arguments: list[str], words: str) -> None:
    (folder / "choosing.py").write_text(CHOOSING)
    outcome = call(["flops", "choosing.py:Choosing", *arguments])
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert words in outcome.err or "weights and inputs" in outcome.err
    assert re.search(r"would take about \d+\.\d GB: more than 50% of the \d+\.\d GB of memory available", outcome.err)


def test_any_size_is_fine_where_nothing_is_computed(folder: Path) -> None:
    assert call(["flops", "nets.py:Tiny", "--input", "1x3x200000x200000"]).code == 0


def test_a_network_that_fits_runs(folder: Path) -> None:
    (folder / "choosing.py").write_text(CHOOSING)
    outcome = call(["flops", "choosing.py:Choosing", "--input", "1x3x32x32"])
    assert outcome.code == 0
    assert "real" in outcome.out
