from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from tuneproof.prepdata.bitmaps import THRESHOLD
from tuneproof.prepdata.duplicates import jaccard, shingles
from tuneproof.prepdata.sketches import BANDS, PERMUTATIONS, ROWS, sketches_of


def text(words: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefgh", k=6)) for _ in range(words))


TEXTS = ["", "a", "abcd", "abcde", "abcdef", "aaaaaaaaaa", "ä日本語xyz", "\ud800", text(400, 0)]


def test_sizes_are_the_numbers_of_different_shingles() -> None:
    bitmaps = sketches_of(TEXTS).bitmaps
    sizes = bitmaps.words[bitmaps.places].tolist()
    assert sizes[1:] == [len(shingles(each)) for each in TEXTS[1:]]
    assert sizes[0] == 1  # an empty text counts as one shingle, of its own


def test_a_text_has_the_same_sketch_whatever_stands_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = sketches_of(TEXTS)
    monkeypatch.setattr("tuneproof.prepdata.sketches.BATCH_CHARACTERS", 1)
    apart = sketches_of(TEXTS)
    assert np.array_equal(together.bands, apart.bands)
    assert together.bands.shape == (len(TEXTS), len(BANDS))
    assert np.array_equal(together.bitmaps.words, apart.bitmaps.words)
    assert np.array_equal(together.bitmaps.places, apart.bitmaps.places)


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
