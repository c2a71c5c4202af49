from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.report.markdown import escape, fenced


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("<script>", r"\<script\>"),
        ("two\nlines  here", "two lines here"),
        ("![x](y)", r"\!\[x\](y)"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


@given(st.text(alphabet="`~a\n", max_size=60))
def test_no_text_can_close_its_fence(text: str) -> None:
    first, *_, last = fenced(text).split("\n")
    fence = first.removesuffix("text")
    assert last == fence
    assert fence not in text
    assert len(fence) >= 3
