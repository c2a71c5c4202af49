from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepdata.buckets import Buckets

HASHES = np.array([[1, 5], [1, 6], [2, 5], [1, 1], [9, 9]], np.uint32)


def sharing(buckets: Buckets, *texts: int) -> set[tuple[int, int]]:
    found = [
        pair
        for ones, others in buckets.sharing(np.array(texts, np.int64))
        for pair in zip(ones.tolist(), others.tolist(), strict=True)
    ]
    return {(one, other) for one, other in found if one != other}


def put(buckets: Buckets, *texts: int) -> None:
    buckets.put(np.array(texts, np.int64))


def test_texts_that_were_put_in_are_found_by_a_shared_hash_of_one_band() -> None:
    buckets = Buckets(HASHES)
    assert sharing(buckets, 0, 1, 2, 3, 4) == set()
    put(buckets, 0, 4)
    assert sharing(buckets, 0, 1, 2, 3, 4) == {(1, 0), (2, 0), (3, 0)}
    put(buckets, 3, 1)
    assert sharing(buckets, 0) == {(0, 1), (0, 3)}


def test_texts_put_last_can_be_taken_out() -> None:
    buckets = Buckets(HASHES)
    put(buckets, 0)
    put(buckets, 1, 2)
    buckets.take_last(np.array([2, 1]))
    assert sharing(buckets, 3) == {(3, 0)}
    put(buckets, 3)
    assert sharing(buckets, 0, 1) == {(0, 3), (1, 0), (1, 3)}


def test_no_texts_share_nothing() -> None:
    buckets = Buckets(np.empty((0, 2), np.uint32))
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
        patched.setattr("prepdata.buckets.MOST_PAIRS", most)
        buckets = Buckets(np.array(rows, np.uint32))
        put(buckets, *inside)
        assert sharing(buckets, *range(len(rows))) == {
            (one, other)
            for one in range(len(rows))
            for other in inside - {one}
            if any(a == b for a, b in zip(rows[one], rows[other], strict=True))
        }
