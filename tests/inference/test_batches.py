"""Batches are few, and as even as can be."""

from __future__ import annotations

import pytest

from tuneproof.inference.compare import even
from tuneproof.inference.generate import parts_of


@pytest.mark.parametrize(
    ("items", "most", "sizes"),
    [
        (32, 12, [11, 11, 10]),
        (13, 12, [7, 6]),
        (38, 12, [10, 10, 9, 9]),
        (12, 12, [12]),
        (5, 1, [1, 1, 1, 1, 1]),
        (0, 3, []),
    ],
)
def test_sizes(items: int, most: int, sizes: list[int]) -> None:
    found = even(range(items), most)
    assert [len(each) for each in found] == sizes
    assert [item for each in found for item in each] == list(range(items))


def test_long_rows_are_apart_where_rows_are_padded() -> None:
    rows = [[0] * length for length in (10, 90, 12, 40, 41, 100)]
    assert parts_of(rows, is_padded=True) == [[0, 2, 3], [1, 4, 5]]
    assert parts_of(rows, is_padded=False) == [[0, 1, 2, 3, 4, 5]]


def test_variants_that_answer_alone_share_no_part() -> None:
    rows = [[0] * length for length in (10, 11, 12, 90, 13, 14)]
    names = ["base", "mud", "base", "base", "mud", "base"]
    parts = parts_of(rows, is_padded=True, variants=names)
    assert parts == [[0, 2, 5], [3], [1, 4]]
    assert parts_of(rows, is_padded=False, variants=names) == [[0, 2, 3, 5], [1, 4]]
