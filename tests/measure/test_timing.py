"""The interval of the median that decides which times differ."""

from __future__ import annotations

from math import comb

import pytest

from cspanalyze.measure.timing import LEAST_ROUNDS, median_interval
from cspanalyze.pipeline.latency import ratio_sentence


@pytest.mark.parametrize(
    ("count", "rank"),
    [(6, 1), (8, 1), (9, 2), (15, 4), (25, 8), (100, 40)],  # tables of the sign test
)
def test_interval_of_the_median(count: int, rank: int) -> None:
    values = [float(value) for value in range(count, 0, -1)]
    assert median_interval(values) == (rank, count + 1 - rank)
    assert (
        2 * sum(comb(count, i) for i in range(rank)) / 2**count
        <= 0.05
        < (2 * sum(comb(count, i) for i in range(rank + 1)) / 2**count)
    )


def test_fewer_rounds_than_are_run_have_no_interval() -> None:
    assert median_interval([1.0] * (LEAST_ROUNDS - 1)) is None
    assert median_interval([1.0] * LEAST_ROUNDS) == (1.0, 1.0)


def test_a_difference_is_told_only_where_the_interval_leaves_out_1() -> None:
    # Both quartiles of the first are below 1, as those of 6 equal networks often are.
    vague = ratio_sentence("CSP", 1, (0.80, 0.85, 0.86, 0.88, 0.90, 1.20))
    assert "do not differ clearly (paired ratio 0.87, median of 6 rounds, 95 % interval 0.80 to 1.20)" in vague
    assert "CSP takes 13.0 % less time than the base" in ratio_sentence("CSP", 1, (0.80, 0.85, 0.86, 0.88, 0.90, 0.99))
    assert "the control takes 2.0 % more" in ratio_sentence("control", 8, (1.01, 1.02, 1.02, 1.02, 1.03, 1.05))
