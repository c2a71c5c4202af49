from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepdata.sketches import (
    BANDS,
    LEAST_BITS,
    THRESHOLD,
    Neighbours,
    bits_of,
    can_be_near,
    sketch_of,
)

Sets = st.sets(st.text(max_size=3), max_size=60)


def words(count: int, seed: int) -> set[str]:
    draw = random.Random(seed)
    return {f"{draw.random()}" for _ in range(count)}


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def may_be_near(one: set[str], other: set[str]) -> bool:
    a, b = sketch_of(one), sketch_of(other)
    return can_be_near(len(one), a.bits, len(other), b.bits)


@given(Sets, Sets, Sets)
def test_near_sets_are_never_ruled_out(common: set[str], one: set[str], other: set[str]) -> None:
    if jaccard(common | one, common | other) >= THRESHOLD:
        assert may_be_near(common | one, common | other)


@pytest.mark.parametrize("size", [3, 100, 256, 257, 500, 511, 512, 513, 1_000, 3_000])
def test_near_sets_are_not_ruled_out_where_their_bitmaps_are_of_two_widths(size: int) -> None:
    common = words(size, 1)
    least = int(size / THRESHOLD)
    wider = common | words(least - size, 2)
    assert jaccard(common, wider) >= THRESHOLD
    assert may_be_near(common, wider) and may_be_near(wider, common)


@pytest.mark.parametrize("size", [60, 250, 2_000])
def test_chance_hits_are_ruled_out(size: int) -> None:
    shared = words(size // 4, 0)
    assert not may_be_near(shared | words(size, 1), shared | words(size, 2))
    index = Neighbours(capacity=1)
    index.add(5, sketch_of(words(size, 1) | words(size // 3, 2)))  # too much longer
    assert list(index.near(sketch_of(words(size, 1)))) == []


def test_bitmaps_are_a_power_of_two_wide_and_no_narrower_than_the_set() -> None:
    assert [bits_of(size) for size in (0, 1, 256, 257, 1_000)] == [256, 256, 256, 512, 1024]
    assert bits_of(0) == LEAST_BITS


def test_near_texts_are_found_under_their_numbers_beyond_the_capacity_too() -> None:
    texts = {number * 10: words(80, number) for number in range(300)}
    index = Neighbours(capacity=4)
    assert list(index.near(sketch_of(texts[0]))) == []
    for number, text in texts.items():
        index.add(number, sketch_of(text))
    for number, text in texts.items():
        assert number in set(index.near(sketch_of(text | {"one more"})))
    assert not list(index.near(sketch_of(words(80, 1_000))))


def test_texts_that_crowd_in_a_band_are_all_found() -> None:
    text, index = words(200, 0), Neighbours(capacity=100)
    for number in range(50):
        index.add(number, sketch_of(text | {str(number)}))
        assert set(index.near(sketch_of(text))) == set(range(number + 1))


def test_sketch_is_the_same_whatever_the_order() -> None:
    text = sorted(words(50, 3))
    one, other = sketch_of(set(text)), sketch_of(set(reversed(text)))
    assert (one.bands, one.bits) == (other.bands, other.bits)
    assert len(one.bands) == BANDS
