from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.formats.data_folder import Split
from tuneproof.prepdata import splits
from tuneproof.prepdata.splits import assign, fraction_of

OFFICIAL = {"val_fraction": 0.1, "test_fraction": 0.2}


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, "test"), (0.199, "test"), (0.2, "validation"), (0.299, "validation"), (0.31, "train")],
)
def test_place_decides_where_there_is_no_official_split(fraction: float, expected: str) -> None:
    assert assign(fraction, None, {None}, **OFFICIAL) == expected


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_two_official_held_out_splits_are_kept(fraction: float) -> None:
    offered: set[Split | None] = {"train", "validation", "test"}
    for split in ("train", "validation", "test"):
        assert assign(fraction, split, offered, **OFFICIAL) == split  # type: ignore[arg-type]


def test_single_held_out_split_is_the_test_split_and_validation_comes_from_train() -> None:
    offered: set[Split | None] = {"train", "validation"}
    assert assign(0.5, "validation", offered, **OFFICIAL) == "test"
    assert assign(0.05, "train", offered, **OFFICIAL) == "validation"
    assert assign(0.15, "train", offered, **OFFICIAL) == "train"


@given(
    fraction=st.floats(min_value=0, max_value=1, exclude_max=True),
    held_out=st.sets(st.sampled_from(["validation", "test"]), min_size=1),
)
def test_official_held_out_row_never_reaches_train(fraction: float, held_out: set[Split]) -> None:
    offered: set[Split | None] = {"train", *held_out}
    for split in held_out:
        assert assign(fraction, split, offered, **OFFICIAL) != "train"


def test_train_row_never_reaches_test_where_there_is_an_official_one() -> None:
    for held_out in ({"test"}, {"validation"}):
        found = {
            assign(n / 100, "train", {"train", *held_out}, **OFFICIAL)  # type: ignore[arg-type]
            for n in range(100)
        }
        assert found == {"train", "validation"}


@given(st.text())
def test_fraction_is_in_0_1_and_depends_on_the_text_alone(text: str) -> None:
    assert 0 <= fraction_of(text) < 1
    assert fraction_of(text) == fraction_of(text)


def test_fraction_is_even_and_salted() -> None:
    tenths = Counter(int(10 * fraction_of(f"row {number}")) for number in range(5000))
    assert all(400 < tenths[tenth] < 600 for tenth in range(10))
    assert fraction_of("a", "1") != fraction_of("a", "2")


def test_fractions_of_known_names_never_change() -> None:
    """Else every data set would be split anew, and models would be tested on what they saw."""
    assert round(fraction_of("V/2008/page_17.pdf"), 6) == KNOWN_PAGE
    assert round(fraction_of("When did Virgin Australia start operating?"), 6) == KNOWN_QUESTION


KNOWN_PAGE = 0.561716
KNOWN_QUESTION = 0.942333


@pytest.mark.parametrize(
    ("groups", "share"),
    [(40, 0.2), (500, 0.2), (999, 0.2), (1000, 0.1), (2000, 0.05), (10**6, 0.05)],
)
def test_share_of_the_test_is_the_least_that_gives_enough_records(
    groups: int, share: float
) -> None:
    assert splits.test_share(groups) == share
