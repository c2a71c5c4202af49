from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tuneproof.prepdata.near.lookup import Buckets, Neighbours

HASHES = np.array([[1, 5], [1, 6], [2, 5], [1, 1], [9, 9]], np.uint32)


def text(words: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefgh", k=6)) for _ in range(words))


def test_near_texts_are_found_under_the_numbers_that_were_added() -> None:
    texts = [text(40, number) for number in range(300)]
    index = Neighbours([*texts, *(f"{each} more" for each in texts)])
    for number in range(0, 300, 2):
        index.add(number)
    index.look_up(range(300, 600))
    for number in range(300):
        assert [*index.near(number + 300)] == ([] if number % 2 else [number])


def test_texts_of_one_block_are_found_as_soon_as_they_are_added_and_later_too() -> None:
    index = Neighbours([text(40, 0), f"{text(40, 0)} more", text(40, 1), f"{text(40, 0)} again"])
    index.look_up([0, 1, 2])
    assert [*index.near(0)] == []
    index.add(0)
    assert [*index.near(1)] == [0]
    assert [*index.near(2)] == []
    index.look_up([3])
    assert [*index.near(3)] == [0]  # and not 1, which was looked up only


def test_same_texts_are_each_other_s_neighbours_under_all_their_numbers() -> None:
    index = Neighbours(["what is 3", "other", "what is 3", "what is 3"])
    index.look_up([0])
    index.add(0)
    index.look_up([2])
    index.add(2)
    index.look_up([3])
    assert sorted(index.near(3)) == [0, 2]


def test_many_near_texts_are_all_found() -> None:
    known = text(60, 0)
    index = Neighbours(f"{known} {number}" for number in range(120))
    for start in range(0, 120, 40):
        index.look_up(range(start, start + 40))
        for number in range(start, start + 40):
            assert sorted(index.near(number)) == list(range(number))
            index.add(number)


def buckets_of(hashes: NDArray[np.uint32]) -> Buckets:
    """Return empty buckets for texts that are told by ten times their number."""
    return Buckets(hashes, 10 * np.arange(len(hashes)))


def sharing(buckets: Buckets, *texts: int) -> set[tuple[int, int]]:
    found = [
        (one // 10, other // 10)
        for ones, others in buckets.sharing(np.array(texts, np.int64))
        for one, other in zip(ones.tolist(), others.tolist(), strict=True)
    ]
    return {(one, other) for one, other in found if one != other}


def put(buckets: Buckets, *texts: int) -> None:
    buckets.put(np.array(texts, np.int64))


def test_texts_that_were_put_in_are_found_by_a_shared_hash_of_one_band() -> None:
    buckets = buckets_of(HASHES)
    assert sharing(buckets, 0, 1, 2, 3, 4) == set()
    put(buckets, 0, 4)
    assert sharing(buckets, 0, 1, 2, 3, 4) == {(1, 0), (2, 0), (3, 0)}
    put(buckets, 3, 1)
    assert sharing(buckets, 0) == {(0, 1), (0, 3)}


def test_texts_put_last_can_be_taken_out() -> None:
    buckets = buckets_of(HASHES)
    put(buckets, 0)
    put(buckets, 1, 2)
    buckets.take_last(np.array([2, 1]))
    assert sharing(buckets, 3) == {(3, 0)}
    put(buckets, 3)
    assert sharing(buckets, 0, 1) == {(0, 3), (1, 0), (1, 3)}


def test_no_texts_share_nothing() -> None:
    buckets = buckets_of(np.empty((0, 2), np.uint32))
    put(buckets)
    assert sharing(buckets) == set()


@given(
    st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30),
    st.integers(min_value=1, max_value=50),
    st.data(),
)
def test_all_pairs_are_found_whatever_is_held_at_once(
    rows: list[tuple[int, ...]], most: int, data: st.DataObject
) -> None:
    inside = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tuneproof.prepdata.near.lookup.MOST_PAIRS", most)
        buckets = buckets_of(np.array(rows, np.uint32))
        put(buckets, *inside)
        assert sharing(buckets, *range(len(rows))) == {
            (one, other)
            for one in range(len(rows))
            for other in inside - {one}
            if any(a == b for a, b in zip(rows[one], rows[other], strict=True))
        }
