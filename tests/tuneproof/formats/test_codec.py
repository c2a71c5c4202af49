"""Dataclasses become JSON objects and are read back; what does not fit is named by its path."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.codec import decode, encode


@dataclass(frozen=True, kw_only=True)
class Part:
    count: int
    share: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict, metadata={"rest": True})


@dataclass(frozen=True, kw_only=True)
class Whole:
    folder: Path = field(metadata={"in_file": False})
    origin: str = field(metadata={"key": "from"})
    state: Literal["on", "off"] = "on"
    is_done: bool = False
    parts: Mapping[str, tuple[Part, ...]]
    names: Sequence[str] | None = None
    best: Part | None = None
    reason: Part | str = "none"
    notes: dict[str, int] = field(default_factory=dict, metadata={"omit": True})


WHOLE = Whole(
    folder=Path("x"),
    origin="web",
    parts={"a": (Part(count=1), Part(count=2, share=0.5, more={"x": {"y": None}, "more": 1}))},
    best=Part(count=3),
    reason=Part(count=4),
)
ROW: dict[str, Any] = {
    "from": "web",
    "state": "on",
    "is_done": False,
    "parts": {
        "a": [{"count": 1, "share": None}, {"count": 2, "share": 0.5, "x": {"y": None}, "more": 1}]
    },
    "names": None,
    "best": {"count": 3, "share": None},
    "reason": {"count": 4, "share": None},
}


def test_every_kind_of_field_is_written_in_order_and_read_back() -> None:
    assert json.dumps(encode(WHOLE)) == json.dumps(ROW)
    assert decode(Whole, ROW, "here", folder=Path("x")) == WHOLE


def test_fields_that_default_to_none_can_be_left_out() -> None:
    row = encode(WHOLE, omit_none=True)
    assert "names" not in row
    assert row["parts"]["a"] == [{"count": 1}, ROW["parts"]["a"][1]]
    assert decode(Whole, row, "here", folder=Path("x")) == WHOLE


def test_omitted_field_is_written_where_it_differs_from_its_default() -> None:
    row = {"from": "web", "parts": {}, "notes": {"a": 1}, "unknown": 1}
    whole = decode(Whole, row, "here", folder=Path("x"))
    assert (whole.names, whole.best, whole.notes) == (None, None, {"a": 1})
    assert encode(whole)["notes"] == {"a": 1}
    assert "unknown" not in encode(whole)


def test_json_has_one_kind_of_number() -> None:
    assert decode(Part, {"count": 3.0, "share": 1}, "here") == Part(count=3, share=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from": None}, "here: 'from': expected a text, found null"),
        ({"state": "of"}, "here: 'state': expected one of 'on', 'off', found 'of'"),
        ({"is_done": 1}, "here: 'is_done': expected true or false, found 1"),
        ({"names": "a"}, "here: 'names': expected a list, found 'a'"),
        ({"names": ["a", 2]}, "here: 'names'[1]: expected a text, found 2"),
        ({"parts": []}, "here: 'parts': expected an object, found []"),
        ({"parts": {"a": [{}]}}, "here: 'parts': 'a'[0]: missing key 'count'; it has nothing"),
        ({"best": "x"}, "here: 'best': expected an object, found 'x'"),
        ({"best": {"count": 1.5}}, "here: 'best': 'count': expected a whole number, found 1.5"),
        ({"best": {"count": True}}, "here: 'best': 'count': expected a whole number, found True"),
        ({"best": {"count": 1, "share": "1"}}, "'share': expected a number, found '1'"),
        (
            {"best": {"count": 1, "share": math.nan}},
            "'share': expected a number, found nan, which is no number",
        ),
        (
            {"best": {"count": 1, "share": math.inf}},
            "'share': expected a number, found inf, which is no number",
        ),
        ({"best": {"count": math.nan}}, "expected a whole number, found nan, which is no number"),
        ({"reason": 5}, "here: 'reason': expected a text, found 5"),
        ({"notes": {"a": "b" * 99}}, "'notes': 'a': expected a whole number, found 'bbb"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        decode(Whole, {**ROW, **change}, "here", folder=Path("x"))


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_something_else_than_an_object_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="here: expected an object, found"):
        decode(Part, value, "here")
