"""The rounding rule of gamma."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspanalyze.csp.split import Split, admissible_gammas, scale_width, split_channels, step
from cspanalyze.errors import CspError

GAMMA = st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True)
GROUPS = st.sampled_from([1, 2, 3, 4, 8, 32])


@st.composite
def widths(draw: st.DrawFn) -> tuple[int, int]:
    """(channels, groups) with channels a multiple of the step, at least two steps."""
    groups = draw(GROUPS)
    channels = draw(st.integers(2, 64)) * lcm(8, groups)
    return channels, groups


@given(widths(), GAMMA)
def test_the_parts_fill_the_stage_in_whole_steps(width: tuple[int, int], gamma: float) -> None:
    channels, groups = width
    split = split_channels(channels, gamma, groups)
    assert split.bypass + split.block == channels
    assert split.bypass > 0
    assert split.block > 0
    d = step(channels, groups)
    assert split.bypass % d == split.block % d == 0
    assert split.gamma in admissible_gammas(channels, groups)


@given(widths(), GAMMA, GAMMA)
def test_more_gamma_never_bypasses_less(width: tuple[int, int], one: float, other: float) -> None:
    channels, groups = width
    low, high = sorted((one, other))
    assert split_channels(channels, low, groups).bypass <= split_channels(channels, high, groups).bypass


@given(widths(), GAMMA)
def test_the_effective_gamma_is_the_nearest_there_is(width: tuple[int, int], gamma: float) -> None:
    channels, groups = width
    chosen = abs(split_channels(channels, gamma, groups).gamma - gamma)
    assert chosen <= min(abs(other - gamma) for other in admissible_gammas(channels, groups)) + 1e-12


@given(widths())
def test_gamma_near_its_ends_leaves_one_step(width: tuple[int, int]) -> None:
    channels, groups = width
    d = step(channels, groups)
    assert split_channels(channels, 1e-9, groups) == Split(d, channels - d)
    assert split_channels(channels, 1 - 1e-9, groups) == Split(channels - d, d)


@given(st.integers(1, 512), GAMMA, GROUPS)
def test_a_scaled_width_is_at_most_the_width(units: int, gamma: float, groups: int) -> None:
    width = units * groups
    scaled = scale_width(width, gamma, groups)
    assert 0 < scaled <= width
    assert scaled % groups == 0
    assert abs(Fraction(scaled) - width * (1 - Fraction(repr(gamma)))) <= step(width, groups)


@pytest.mark.parametrize(
    ("channels", "gamma", "groups", "expected"),
    [
        (256, 0.5, 1, (128, 128)),
        (64, 0.9, 1, (56, 8)),  # 6.4 / 8 = .8 -> 1 step
        (40, 0.9, 1, (32, 8)),  # 40 · .1 / 8 = .5, rounded up; 1 - .9 in binary is below .1
        (64, 0.25, 32, (32, 32)),  # 48 / 32 = 1.5 -> 2 steps, clipped to one
        (24, 0.5, 1, (12, 12)),  # under 32 channels no alignment to 8
        (100, 0.01, 1, (8, 92)),  # 99 / 8 = 12.4 -> 96, clipped to C - d
    ],
)
def test_known_splits(channels: int, gamma: float, groups: int, expected: tuple[int, int]) -> None:
    split = split_channels(channels, gamma, groups)
    assert (split.bypass, split.block) == expected


def test_groups_that_admit_no_such_gamma_are_told_with_those_that_they_admit() -> None:
    with pytest.raises(CspError, match=r"C = 80 with groups = 32 admits gamma in \{0.2, 0.6\}, got 0.01"):
        split_channels(80, 0.01, 32)
    with pytest.raises(CspError, match="C = 32 with groups = 32 admits no gamma at all"):
        split_channels(32, 0.5, 32)


@pytest.mark.parametrize("gamma", [0, 1, -0.5, 1.5, float("nan"), float("inf"), "half", None])
def test_gamma_outside_its_range(gamma: float) -> None:
    with pytest.raises(CspError, match="share of channels that bypasses the blocks; need 0 < gamma < 1, got"):
        split_channels(64, gamma)
