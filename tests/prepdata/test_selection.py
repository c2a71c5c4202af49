from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.errors import InputError
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.selection import drawn
from tuneproof.prepdata.spool import Entries, Entry


def entry(place: float, label: str = "", source: str = "a") -> Entry:
    return Entry(offset=0, source=source, split="train", group=0.0, label=label, order=place)


def kept_of(
    entries: list[Entry], config: BuildConfig, dropped: dict[str, Counter[str]]
) -> list[Entry]:
    """Return the entries that are drawn."""
    with tempfile.TemporaryFile() as handle:
        every = Entries(handle)
        numbers = np.array([every.add(one) for one in entries], np.int64)
        return [every[number] for number in drawn(every, numbers, config, dropped)]


def test_no_limit_keeps_all_in_order() -> None:
    entries = [entry(0.3), entry(0.1)]
    assert kept_of(entries, BuildConfig(), {}) == entries


def test_limit_holds_per_source_and_counts_the_rest() -> None:
    entries = [entry(n / 10, source=source) for n in range(5) for source in "ab"]
    dropped = {"a": Counter[str](), "b": Counter[str]()}
    kept = kept_of(entries, BuildConfig(limit=2), dropped)
    assert Counter(found.source for found in kept) == {"a": 2, "b": 2}
    assert dropped == {"a": {"beyond --limit": 3}, "b": {"beyond --limit": 3}}


def test_smaller_limit_draws_a_part_of_what_a_larger_one_draws() -> None:
    entries = [entry(n * 0.37 % 1, label="xyz"[n % 3]) for n in range(40)]
    small = kept_of(entries, BuildConfig(limit=7), {"a": Counter()})
    large = kept_of(entries, BuildConfig(limit=15), {"a": Counter()})
    assert all(found in large for found in small)


@given(st.lists(st.sampled_from("abc"), min_size=1), st.integers(min_value=1, max_value=30))
def test_labels_are_drawn_in_numbers_as_equal_as_they_allow(labels: list[str], limit: int) -> None:
    entries = [entry(n / len(labels), label=label) for n, label in enumerate(labels)]
    kept = Counter(
        found.label for found in kept_of(entries, BuildConfig(limit=limit), {"a": Counter()})
    )
    assert kept.total() == min(limit, len(labels))
    available = Counter(labels)
    for label, count in kept.items():
        for other, most in available.items():
            assert kept[other] >= min(most, count - 1), label


def test_balanced_means_the_same_number_of_every_label() -> None:
    entries = [entry(n / 20, label="xxxxxxxyyz"[n % 10]) for n in range(20)]
    dropped = {"a": Counter[str]()}
    kept = kept_of(entries, BuildConfig(balanced=True), dropped)
    assert Counter(found.label for found in kept) == {"x": 2, "y": 2, "z": 2}
    assert dropped == {"a": {"to balance the labels": 14}}


def test_a_label_smaller_than_asked_stops_the_build_unless_fewer_are_allowed() -> None:
    entries = [entry(n / 10, label="xxxxxxxxyy"[n]) for n in range(10)]
    with pytest.raises(InputError, match=r"train has 2 records of label 'y', and 4 of each"):
        kept_of(entries, BuildConfig(limit=8, balanced=True), {"a": Counter()})
    config = BuildConfig(limit=8, balanced=True, allow_fewer=True)
    kept = kept_of(entries, config, {"a": Counter()})
    assert Counter(found.label for found in kept) == {"x": 2, "y": 2}


def test_a_split_without_one_of_the_labels_is_not_emptied_in_silence() -> None:
    entries = [entry(n / 10, label="xy"[n % 2]) for n in range(10)]
    entries += [replace(entry(n / 10, label="xyz"[n % 3]), split="test") for n in range(6)]
    entries += [replace(entry(n / 10, label="x"), split="validation") for n in range(2)]
    with pytest.raises(InputError, match=r"train has 0 records of label 'z'.*without that label"):
        kept_of(entries, BuildConfig(balanced=True), {"a": Counter()})
    config = BuildConfig(balanced=True, allow_fewer=True)
    kept = kept_of(entries, config, {"a": Counter()})
    assert Counter((found.split, found.label) for found in kept) == {
        ("train", "x"): 5, ("train", "y"): 5, ("validation", "x"): 2,
        ("test", "x"): 2, ("test", "y"): 2, ("test", "z"): 2,
    }  # fmt: skip


def test_balanced_leaves_sources_without_labels_alone() -> None:
    entries = [entry(n / 10) for n in range(10)]
    assert len(kept_of(entries, BuildConfig(balanced=True), {"a": Counter()})) == 10


def test_a_limit_under_one_of_each_label_is_refused() -> None:
    entries = [entry(n / 10, label="xy"[n % 2]) for n in range(10)]
    entries += [replace(entry(n / 10, label="xy"[n % 2]), split="test") for n in range(4)]
    with pytest.raises(InputError, match="1 records of test are under one of each of 2 labels"):
        kept_of(entries, BuildConfig(limit=6, test_limit=1, balanced=True), {"a": Counter()})
