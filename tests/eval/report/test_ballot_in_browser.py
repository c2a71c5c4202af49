"""Voting in a real browser, by keyboard: blind, resumable, exported, and read by `score report`."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.browser import PATIENCE_S, Browser, needs_browser
from tests.eval.conftest import answer, comparison, item
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.votes import drawn, read_votes

pytestmark = [pytest.mark.slow, needs_browser]
LEFT, RIGHT, UP = "ArrowLeft", "ArrowRight", "ArrowUp"
READY = "!document.getElementById('ballot').hidden"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 items; two have equal answers."""
    rows = [
        item(
            number,
            "",
            "",
            prompt=f"What about matter {number} of {40 - number}?",
            answers={
                "base": answer(f"the plain one {number}"),
                "tuned": answer(f"{'the plain one' if number < 2 else '<b>fine</b>'} {number}"),
            },
        )
        for number in range(40)
    ]
    path = tmp_path_factory.mktemp("compared") / "comparison.json"
    path.write_text(json.dumps(comparison(rows)))
    return path


@pytest.fixture(scope="module")
def page(compared: Path) -> Path:
    report([compared], compared.parent / "out", ReportConfig(resamples=100))
    return compared.parent / "out" / "report.html"


SHOWN = "[...document.querySelectorAll('#ballot-item .answer .text')].map((p) => p.textContent)"
STATUS = "document.getElementById('ballot-status').textContent"


def start(browser: Browser, name: str = "ann") -> None:
    browser.script("document.getElementById('voter').focus()")
    browser.press(*name, "Enter")
    browser.wait("!document.getElementById('ballot-box').hidden")


def test_votes_are_cast_by_keyboard_resumed_exported_and_read(
    browser: Browser, page: Path, compared: Path, tmp_path: Path
) -> None:
    browser.open(page.as_uri(), READY)
    start(browser)
    items = read_comparison(compared).items
    differ = [item for item in items if int(item.id[1:]) > 1]
    order = [differ[number].id for number in drawn(differ)]
    seen: list[list[str]] = []
    cast: list[str | None] = []
    for turn in range(20):
        left, right = browser.script(SHOWN)
        seen.append([left, right])
        wanted = None if turn % 5 == 4 else "fine" if turn % 5 < 3 else "plain"
        key = {None: "tb"[turn % 2]}.get(wanted, LEFT if wanted and wanted in left else RIGHT)
        browser.press(key)
        cast.append(wanted)
        if turn == 9:  # as if the page were closed
            before = browser.script(SHOWN)
            browser.open(page.as_uri(), READY)
            assert browser.script("document.getElementById('voter').value") == "ann"
            browser.script("document.getElementById('voter').focus()")
            browser.press("Enter")
            assert browser.script(SHOWN) == before  # sides are not drawn again
            assert browser.script(STATUS).startswith("10 of ")
    assert [left.split()[-1] for left, _ in seen] == [name[1:] for name in order[:20]]
    sides = Counter("fine" in left for left, _ in seen)
    assert min(sides.values()) >= 2  # by lot: less than once in 20,000 otherwise

    browser.press("u")
    assert browser.script(STATUS).startswith("19 of ")
    assert browser.script(SHOWN) == seen[-1]
    browser.press("t", UP, "x")
    assert browser.script(STATUS).startswith("20 of ")

    browser.script("document.getElementById('ballot-export').click()")
    file = tmp_path / "votes-ann.json"
    end = time.monotonic() + PATIENCE_S
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    votes = read_votes(file)
    assert votes.voter == "ann"
    assert [vote.id for vote in votes.votes] == order[:20]
    winners = [vote.winner for vote in votes.votes]
    assert winners == [{"fine": "tuned", "plain": "base"}.get(str(one)) for one in cast]
    assert {vote.choice for vote in votes.votes if vote.winner is None} == {"tie", "bad"}

    built = report([compared], tmp_path / "out", ReportConfig(resamples=100), votes=[file])
    (figures,) = built.votes
    assert (figures.votes, figures.left_out) == (20, 0)
    assert figures.choices["a"] == 12
    assert figures.choices["b"] == 4
    assert figures.cautions == ("votes on 20 items are few; intervals are tested from 30",)


def test_ballot_hides_names_and_keeps_answers_text(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), READY)
    start(browser)
    box = browser.script("document.getElementById('ballot-box').textContent")
    assert "tuned" not in box and "base" not in box
    assert any("<b>fine</b>" in text for text in browser.script(SHOWN))
    assert browser.script("document.querySelectorAll('#ballot-item b').length") == 0


def test_voters_do_not_share_votes_and_a_name_is_needed(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), READY)
    browser.script("document.getElementById('ballot-open').click()")
    assert "Type a name" in browser.script(STATUS)
    start(browser, "ann")
    browser.press("t", "t")
    browser.script("document.getElementById('voter').focus()")
    browser.press("x")  # typed into the name: no vote, and another voter
    assert browser.script("document.getElementById('ballot-box').hidden")
    browser.press("Enter")
    assert browser.script(STATUS).startswith("0 of ")


def test_last_item_ends_the_ballot(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), READY)
    start(browser)
    browser.press(*["t"] * 40)
    assert browser.script(STATUS).startswith("38 of 38 votes by ann. The goal is reached")
    assert browser.script(STATUS).endswith("That was the last item.")


@pytest.mark.parametrize(("width", "columns"), [(1200, 2), (390, 1)])
def test_ballot_fits_screens_and_colours(
    browser: Browser, page: Path, width: int, columns: int
) -> None:
    backgrounds = []
    for scheme in ("light", "dark"):
        browser.look(width=width, scheme=scheme)
        browser.open(page.as_uri(), READY)
        if scheme == "light":
            start(browser)
        else:
            browser.script("document.getElementById('ballot-open').click()")
        grid = "getComputedStyle(document.querySelector('#ballot-item .answers'))"
        assert len(browser.script(f"{grid}.gridTemplateColumns").split()) == columns
        assert browser.script("document.documentElement.scrollWidth <= window.innerWidth")
        look = "getComputedStyle(document.querySelector('#ballot-item .answer')).backgroundColor"
        backgrounds.append(browser.script(look))
    assert len(set(backgrounds)) == 2
