"""Tables that are too wide are split, and nothing is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cspanalyze.renderers.grid import Column
from cspanalyze.renderers.panels import panels


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=15), st.integers(1, 60), st.integers(0, 3))
def test_every_column_is_shown_once_in_order_and_fits(sizes: list[tuple[int, bool]], room: int, gap: int) -> None:
    columns = [Column("", glued=glued) for _, glued in sizes]
    widths = [width for width, _ in sizes]
    made = panels(columns, widths, room, gap)
    assert [index for panel in made for index in panel] == list(range(len(columns)))
    for panel in made:
        assert sum(widths[index] + gap for index in panel) <= room or len(panel) == 1


def test_panels_are_even() -> None:
    assert panels([Column("")] * 6, [10] * 6, 50, 0) == [(0, 1, 2), (3, 4, 5)]


def test_glued_columns_stay_together() -> None:
    columns = [Column("a"), Column("b"), Column("c", glued=True)]
    assert panels(columns, [10] * 3, 25, 0) == [(0,), (1, 2)]
