"""`check`: limits beside a baseline, and the exit codes that a build reads."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspanalyze.errors import UsageError
from cspanalyze.limits import Limit, parse_limit

NETS = """
from torch import nn


def net(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())
"""


@pytest.fixture
def baseline(run: Any, folder: Path) -> Path:
    (folder / "growing.py").write_text(NETS)
    outcome = run("check", "growing.py:net", "-i", "1x3x32x32", "--against", "b.json", "--update")
    assert (outcome.code, outcome.err) == (0, "wrote b.json\n")
    return folder / "b.json"


def test_exit_codes(run: Any, baseline: Path) -> None:
    check = ("check", "growing.py:net", "--against", "b.json")
    assert run(*check).code == 0
    # 9 channels instead of 8: one eighth more
    outcome = run(*check, "--arg", "width=9", "--max", "macs=+12.5%", "--max", "params=+28")
    assert (outcome.code, outcome.out.count("✓")) == (0, 2)
    outcome = run(*check, "--arg", "width=9", "--max", "macs=+12.4%", "--max", "params=+28")
    assert outcome.code == 4
    assert "Where it grew" in outcome.out
    assert outcome.err.startswith("error: growing.py:net is beyond its limit: macs (+12.4%)")
    assert run(*check, "-i", "1x3x16x16").code == 2
    assert run(*check, "--max", "macs").code == 2
    assert run(*check, "--max", "nothing=+1%").code == 2
    assert run("check", "growing.py:net", "--against", "none.json").code == 2
    assert run("check", "growing.py:net").code == 2


def test_data(run: Any, baseline: Path) -> None:
    from cspanalyze.saved import read_saved

    outcome = run("check", "growing.py:net", "--against", "b.json", "--max", "params=224", "-o", "check.json")
    assert outcome.code == 0
    data = json.loads((baseline.parent / "check.json").read_text())
    # 3 x 8 x 9 weights and 8 biases
    assert (data["kept"], data["verdicts"][0]["now"], data["verdicts"][0]["limit"]) == (True, 224, "224")
    assert getattr(read_saved(baseline.parent / "check.json"), "kept", None) is True
    assert run("render", "check.json").out.endswith("Every limit is kept.\n")
    rows = run("check", "growing.py:net", "--against", "b.json", "--max", "params=+0", "--csv").out
    assert rows == "metric,unit,limit,baseline,now,kept\nparams,elements,+0,224,224,true\n"


def test_operations_that_are_not_counted_do_not_pass_as_savings(run: Any, baseline: Path) -> None:
    (baseline.parent / "growing.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass net(nn.Module):\n"
        "    def forward(self, x):\n        return torch.linalg.det(x)\n"
    )
    outcome = run("check", "growing.py:net", "--against", "b.json", "--max", "macs=+0")
    assert outcome.code == 3
    assert "without a formula: aten._linalg_det" in outcome.err


@pytest.mark.parametrize(
    ("text", "base", "most"),
    [("+2%", 100, 102), ("-10%", 100, 90), ("+1M", 5, 1_000_005), ("5G", 7, 5 * 10**9), ("+0", 3, 3), ("+.5k", 0, 500)],
)
def test_what_a_limit_allows(text: str, base: int, most: int) -> None:
    assert parse_limit(f"macs={text}").most(base) == most


@pytest.mark.parametrize("text", ["macs", "=+2%", "macs=", "macs=2%", "macs=+2x", "macs=+-2", "macs=+1e3", "macs=nan"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        parse_limit(text)


@given(st.integers(0, 10**30), st.integers(0, 10**6))
def test_limits_are_exact(base: int, hundredths: int) -> None:
    """No float is between a count and its limit: one more than is allowed is always seen."""
    most = Limit("macs", f"+{hundredths // 100}.{hundredths % 100:02}%").most(base)
    assert most == Fraction(base) * (10_000 + hundredths) / 10_000
