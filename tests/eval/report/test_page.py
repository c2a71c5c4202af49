from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.report.examples import ShownItem, examples_of
from tuneproof.eval.report.page import chosen_items, render_page
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.report import Report
from tuneproof.web_page import embeddable_json

Write = Callable[..., Path]
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`&amp;<!--"


@pytest.fixture
def evil(document: dict[str, Any], write: Write) -> tuple[Report, list[ShownItem]]:
    """A report in which every text from outside is hostile."""
    document["template"] = EVIL
    document["decoding"] = {EVIL: EVIL}
    document["variants"] = [{"name": "base"}, {"name": EVIL, "model": EVIL, EVIL: EVIL}]
    for number, item in enumerate(document["items"]):
        item |= {"id": f"{EVIL}{number}", "task": f"{EVIL}{number % 2}", "prompt": EVIL}
        item |= {"input": EVIL, "reference": EVIL}
        item["answers"] = {"base": item["answers"]["base"], EVIL: {"text": EVIL}}
    comparison = read_comparison(write(document))
    scores = score(comparison)
    report = build(comparison, scores, ReportConfig(resamples=100))
    return report, examples_of(comparison, scores, "rougeL")


def test_hostile_text_is_escaped_everywhere(
    evil: tuple[Report, list[ShownItem]],
) -> None:
    page = render_page(*evil, {})
    assert "<img" not in page
    assert "alert(1)</script>" not in page
    assert len(re.findall(r"<script\b", page)) == 2
    assert page.count("</script>") == 2
    assert page.count("&lt;/script&gt;") > 10


def test_page_loads_nothing(evil: tuple[Report, list[ShownItem]]) -> None:
    page = render_page(*evil, {"gains": ("A plot", b"png")})
    assert "default-src 'none'" in unescape(page)
    sources = re.findall(r"""(?:src|href)=["']([^"']*)""", page)
    assert sources
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources)
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_embedded_items_survive_the_way_through_the_page(
    evil: tuple[Report, list[ShownItem]],
) -> None:
    page = render_page(*evil, {})
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["items"] == json.loads(
        json.dumps([item.as_row() for item in evil[1]])
    )


def test_too_many_items_are_cut_with_a_note(
    evil: tuple[Report, list[ShownItem]],
) -> None:
    report, rows = evil
    budget = sum(len(embeddable_json(row.as_row())) for row in rows[:4]) + 10
    assert "This page holds 4 of 12 items" in render_page(report, rows, {}, budget)
    assert "This page holds" not in render_page(report, rows, {})


def test_most_telling_items_are_kept_in_file_order() -> None:
    rows = [{"gains": [gain]} for gain in (0.0, 0.2, -0.9, 0.5)]
    budget = sum(len(embeddable_json(row)) for row in rows[2:]) + 1
    assert chosen_items(rows, [2, 3, 1, 0], budget) == rows[2:]


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_embedded_json_is_the_value_and_has_no_markup(value: Any) -> None:
    text = embeddable_json(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_hostile_labels_are_escaped(topics: dict[str, Any], write: Write) -> None:
    topics["labels"][2] = EVIL
    for item in topics["items"]:
        item["reference"] = EVIL if item["reference"] == "M&A" else item["reference"]
        for answer in item["answers"].values():
            answer["label_probabilities"][EVIL] = answer["label_probabilities"].pop("M&A")
            answer["label"] = EVIL if answer["label"] == "M&A" else answer["label"]
    comparison = read_comparison(write(topics))
    scores = score(comparison)
    report = build(comparison, scores, ReportConfig(resamples=100))
    page = render_page(report, examples_of(comparison, scores, "accuracy"), {})
    assert "<img" not in page
    assert page.count("</script>") == 2
    assert "&lt;/script&gt;" in page
