from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.prepdata.near.comparing import jaccard, shingles
from tuneproof.prepdata.near.sketches import (
    BANDS,
    PERMUTATIONS,
    ROWS,
    THRESHOLD,
    Bitmaps,
    sketches_of,
)

Sets = st.sets(st.integers(0, 2**64 - 1), max_size=60)


def text(words: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefgh", k=6)) for _ in range(words))


TEXTS = ["", "a", "abcd", "abcde", "abcdef", "aaaaaaaaaa", "ä日本語xyz", "\ud800", text(400, 0)]


def test_sizes_are_the_numbers_of_different_shingles() -> None:
    bitmaps = sketches_of(TEXTS).bitmaps
    sizes = bitmaps.words[bitmaps.starts].tolist()
    assert sizes[1:] == [len(shingles(each)) for each in TEXTS[1:]]
    assert sizes[0] == 1  # an empty text counts as one shingle, of its own


def test_a_text_has_the_same_sketch_whatever_stands_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = sketches_of(TEXTS)
    monkeypatch.setattr("tuneproof.prepdata.near.sketches.BATCH_CHARACTERS", 1)
    apart = sketches_of(TEXTS)
    assert np.array_equal(together.bands, apart.bands)
    assert together.bands.shape == (len(TEXTS), len(BANDS))
    assert np.array_equal(together.bitmaps.words, apart.bitmaps.words)
    assert np.array_equal(together.bitmaps.starts, apart.bitmaps.starts)


def test_no_texts_have_no_sketches() -> None:
    assert sketches_of([]).bands.shape == (0, len(BANDS))


def test_sketch_depends_on_the_shingles_alone() -> None:
    once, often = sketches_of(["abcdabcd abcdabcd", "abcdabcd abcdabcd abcdabcd abcdabcd"]).bands
    assert np.array_equal(once, often)


def test_bands_are_shared_as_often_as_the_shared_shingles_say() -> None:
    pairs = [(f"{text(20, n)} {text(3, -n)}", text(20, n)) for n in range(1, 300)]
    bands = sketches_of([each for pair in pairs for each in pair]).bands
    shared = (bands[::2] == bands[1::2]).mean()
    assert shared == pytest.approx(np.mean([jaccard(*pair) ** ROWS for pair in pairs]), abs=0.03)


def test_bands_miss_hardly_any_pair_at_the_threshold() -> None:
    together = [len({*one} & {*other}) for one, other in combinations(BANDS.tolist(), 2)]
    assert max(together) == 1
    is_alike = np.random.default_rng(0).random((500_000, PERMUTATIONS)) < THRESHOLD
    is_found = np.any([is_alike[:, band].all(axis=1) for band in BANDS], axis=0)
    assert is_found.mean() == pytest.approx(0.9993, abs=0.0002)


def test_texts_without_common_shingles_share_no_band() -> None:
    bands = sketches_of([text(20, n) for n in range(1, 1_000)]).bands
    assert all(len(set(column.tolist())) > 980 for column in bands.T)


def elements(count: int, seed: int) -> set[int]:
    draw = random.Random(seed)
    return {draw.getrandbits(64) for _ in range(count)}


def jaccard_of_sets(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def bitmaps_of(*sets: set[int]) -> Bitmaps:
    """Return the bitmaps of all, each computed by itself."""
    parts = [
        Bitmaps.of(np.zeros(len(each), np.int64), np.array([*each], np.uint64), 1) for each in sets
    ]
    begins = np.cumsum([0, *(len(part.words) for part in parts)])
    starts = [part.starts + begin for part, begin in zip(parts, begins, strict=False)]
    return Bitmaps(np.concatenate(starts), np.concatenate([part.words for part in parts]))


def near(bitmaps: Bitmaps, ones: list[int], others: list[int]) -> list[tuple[int, int]]:
    """Return which of the pairs may be near, by number."""
    found = bitmaps.near(bitmaps.starts[ones], bitmaps.starts[others])
    one, other = np.searchsorted(bitmaps.starts, found).tolist()
    return list(zip(one, other, strict=True))


def may_be_near(one: set[int], other: set[int]) -> bool:
    return bool(near(bitmaps_of(elements(300, 0), one, other), [1], [2]))


@given(Sets, Sets, Sets)
def test_near_sets_are_never_ruled_out(common: set[int], one: set[int], other: set[int]) -> None:
    if jaccard_of_sets(common | one, common | other) >= THRESHOLD:
        assert may_be_near(common | one, common | other)


@pytest.mark.parametrize("size", [3, 100, 205, 256, 257, 500, 511, 512, 513, 1_000, 3_000])
def test_near_sets_are_not_ruled_out_where_their_bitmaps_are_of_two_widths(size: int) -> None:
    common = elements(size, 1)
    least = int(size / THRESHOLD)
    wider = common | elements(least - size, 2)
    assert jaccard_of_sets(common, wider) >= THRESHOLD
    assert may_be_near(common, wider) and may_be_near(wider, common)


@pytest.mark.parametrize("size", [60, 250, 2_000])
def test_chance_hits_are_ruled_out(size: int) -> None:
    shared = elements(size // 4, 0)
    assert not may_be_near(shared | elements(size, 1), shared | elements(size, 2))
    assert not may_be_near(elements(size, 1) | elements(size // 3, 2), elements(size, 1))


def test_every_bit_tells_whether_an_odd_number_of_elements_turned_it() -> None:
    owners, values = np.array([0, 1, 1, 1, 1]), np.array([3, 65, 7, 64, 256 + 7], np.uint64)
    bitmaps = Bitmaps.of(owners, values, 3)
    assert bitmaps.starts.tolist() == [0, 5, 10]
    assert bitmaps.words.tolist() == [1, 8, 0, 0, 0, 4, 0, 3, 0, 0, 0, 0, 0, 0, 0]


def test_bitmaps_are_a_power_of_two_wide_and_no_narrower_than_the_set() -> None:
    sets = [elements(size, 0) for size in (0, 1, 256, 257, 512, 1_000)]
    assert np.diff(bitmaps_of(*sets, set()).starts).tolist() == [5, 5, 5, 9, 9, 17]


def test_pairs_of_all_widths_are_told_apart_at_once_and_a_set_is_no_pair_with_itself() -> None:
    small, large = elements(80, 1), elements(900, 2)
    bitmaps = bitmaps_of(small, large, small, elements(80, 3), large)
    ones, others = (each.ravel().tolist() for each in np.indices((5, 5)))
    assert set(near(bitmaps, ones, others)) == {(0, 2), (2, 0), (1, 4), (4, 1)}
