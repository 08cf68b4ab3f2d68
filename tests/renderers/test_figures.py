"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspanalyze.renderers.figures import aligned, change, figure

PREFIX = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (0, "0"), (640, "640"), (999, "999"), (1000, "1.000 k"), (999_999, "999.999 k"),
        (999_999_700, "1.000 G"), (4_089_184_256, "4.089 G"), (21_776_384, "21.776 M"), (12.5, "12.5"),
        (2304.0, "2304.0"), (-1500, "-1.500 k"), (10**21, "1.000e+21"), (2**1100, "1.358e+331"),
    ],
)  # fmt: skip
def test_figure(value: float | None, text: str) -> None:
    assert figure(value) == text


@given(st.integers(0, 10**20))
def test_a_figure_is_right_to_half_of_its_last_digit(value: int) -> None:
    number, _, prefix = figure(value).partition(" ")
    assert abs(float(number) * PREFIX[prefix] - value) <= 0.000501 * PREFIX[prefix] * (prefix != "")
    assert len(number) <= 7 or value >= 10**21


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (100, 84.6, "-15.4 %"), (100, 102.6, "+2.6 %"), (0, 0, "="), (7, 7, "="), (0, 5, "new"), (5, 0, "-100.0 %"),
        (1, 12, "x12.0"), (2, 2**1100, "x6.8e+330"), (10_000, 10_002, "+0.02 %"), (None, 1, "-"), (1, None, "-"),
    ],
)  # fmt: skip
def test_change(before: float | None, after: float | None, text: str) -> None:
    assert change(before, after) == text


def test_points_and_prefixes_stand_below_each_other() -> None:
    padded = [text.rjust(12) for text in aligned(["4.089 G", "640", "953.344 k"])]
    assert {text.index(".") for text in padded if "." in text} == {6}
    assert padded[1][5] == "0"
    assert aligned(["1", "22"]) == ["1", "22"]
