from __future__ import annotations

import pytest

from tuning.fast.padding import parts


@pytest.mark.parametrize(
    ("lengths", "wanted"),
    [
        ([500, 490, 480], [[0, 1, 2]]),
        ([100, 500, 100, 100], [[1], [0, 2, 3]]),
        ([40, 60, 20], [[1, 0, 2]]),
        ([1000, 500, 490, 100, 90], [[0], [1, 2], [3, 4]]),
        ([7], [[0]]),
    ],
    ids=["alike", "one long", "short anyway", "in three", "one"],
)
def test_rows_are_cut_where_it_saves_enough(lengths: list[int], wanted: list[list[int]]) -> None:
    assert parts(lengths) == wanted
