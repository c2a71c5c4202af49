"""Krippendorff's alpha against the values that he published."""

from __future__ import annotations

import pytest

from tuneproof.eval.judging.agreement import krippendorff_alpha

FOUR_OBSERVERS = """\
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 ."""
"""Krippendorff, 2011, Computing Krippendorff's Alpha-Reliability, section C: some are missing."""


def units(table: str) -> list[list[str]]:
    columns = zip(*(line.split() for line in table.splitlines()), strict=True)
    return [[value for value in column if value != "."] for column in columns]


@pytest.mark.parametrize(
    ("table", "published"),
    [
        ("0 1 0 0 0 0 0 0 1 0\n1 1 1 0 0 1 0 0 0 0", 0.095),  # section A
        ("a a b b d c c c e d d a\nb a b b b c c c e d d d", 0.692),  # section B
        (FOUR_OBSERVERS, 0.743),
    ],
)
def test_alpha_is_the_published_one(table: str, published: float) -> None:
    assert krippendorff_alpha(units(table)) == pytest.approx(published, abs=5e-4)


def test_alpha_is_one_where_all_agree_and_open_where_nothing_could_differ() -> None:
    assert krippendorff_alpha([["a", "a"], ["b", "b", "b"]]) == 1
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    assert krippendorff_alpha([["a"], ["b"]]) is None
    assert krippendorff_alpha([]) is None
