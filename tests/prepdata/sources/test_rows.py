from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.rows import Row, split_of


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("train-00000-of-00002", "train"),
        ("topic_valid", "validation"),
        ("dev_compact", "validation"),
        ("TEST", "test"),
        ("eval", "test"),
        ("evaluation_set", "test"),
        ("hold-out", "test"),
        ("constraints", None),
        ("contest", None),
        ("unsupervised", None),
    ],
)
def test_split_is_a_whole_word_of_the_name(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_row_text_is_stripped_and_null_is_empty() -> None:
    row = Row({"a": " x ", "b": None, "c": 3, "d": True}, "here", None)
    assert [row.text(name) for name in "abcde"] == ["x", "", "3", "true", ""]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-1.0, "-1"),
        (0.25, "0.25"),
        (1e300, "1e+300"),
        (math.nan, ""),
        ("nan", "nan"),
        (datetime.date(2024, 1, 5), "2024-01-05"),
        ("  x = 1\n  y", "  x = 1\n  y"),
        ("\n\n    return x\n", "    return x"),
        ("\treturn", "\treturn"),
        (" one slip", "one slip"),
        (" \n ", ""),
        ("ก็ ที่", "ก็ ที่"),
    ],
)
def test_value_becomes_the_text_that_was_meant(value: Any, text: str) -> None:
    assert Row({"a": value}, "here", None).text("a") == text


def test_class_numbers_become_names_and_what_is_out_of_range_is_none() -> None:
    names = {"label": ["no", "yes"]}
    for value, name in ((1, "yes"), ("0", "no"), (-1, None), (2, None), (None, None)):
        row = Row({"text": "1", "label": value}, "here", None, names)
        assert row.with_class_names().values == {"text": "1", "label": name}


def test_list_where_text_is_needed_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"file:3: 'a' must be text, found \['x'\]"):
        Row({"a": ["x"]}, "file:3", None).text("a")


def test_required_field_error_lists_the_fields_found() -> None:
    with pytest.raises(InputError, match="file:3: missing field 'c'; it has a, b"):
        Row({"a": 1, "b": 2}, "file:3", None).require("a", "c")
