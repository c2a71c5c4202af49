"""The ballots of the page: drawn at random, without equal answers, cut where the page is full."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.ballot import Ballot, ballots_of, shown_ballots, to_vote_on
from tuneproof.eval.report.build import build, report
from tuneproof.eval.report.examples import examples_of
from tuneproof.eval.report.page import render_page
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.votes import drawn, key_of_answers

Write = Callable[..., Path]
QUICK = ReportConfig(resamples=100)


def test_ballot_is_drawn_at_random_and_leaves_out_equal_answers(
    document: dict[str, Any], write: Write
) -> None:
    document["items"][3]["answers"]["base"]["text"] = "red green blue"
    comparison = read_comparison(write(document))
    (ballot,) = ballots_of(comparison, build(comparison, score(comparison), QUICK))
    assert (ballot.a, ballot.b) == ("tuned", "base")
    names = [name for name, _ in ballot.items]
    differ = [item for item in comparison.items if item.id != "q3"]
    assert names == [differ[number].id for number in drawn(differ)]
    keys = {item.id: key_of_answers(item, "base", "tuned") for item in comparison.items}
    assert dict(ballot.items) == {name: keys[name] for name in names}
    assert ballot.goals[1] == (0.6, 199)


def test_labels_have_no_ballot(topics: dict[str, Any], write: Write, tmp_path: Path) -> None:
    comparison = read_comparison(write(topics))
    built = report([write(topics)], tmp_path / "out", QUICK)
    assert ballots_of(comparison, built) == []
    assert 'id="vote"' not in (tmp_path / "out" / "report.html").read_text()


def test_page_keeps_what_is_to_be_voted_on_first(document: dict[str, Any], write: Write) -> None:
    comparison = read_comparison(write(document))
    scores = score(comparison)
    built = build(comparison, scores, QUICK)
    items, ballots = examples_of(comparison, scores, "rougeL"), ballots_of(comparison, built)
    page = render_page(built, items, {}, 4000, ballots=ballots)
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert match is not None
    data = json.loads(match[1])
    kept = {item["id"] for item in data["items"]}
    assert 0 < len(kept) < 12
    (shown,) = data["ballots"]
    assert [name for name, _ in shown["items"]] == [n for n, _ in ballots[0].items][: len(kept)]


def test_ballot_ends_before_the_first_item_that_the_page_lacks() -> None:
    ballot = Ballot(
        a="a", b="b", id="x", items=(("q2", "k"), ("q1", "k"), ("q3", "k")), goals=((0.6, 199),)
    )
    (cut,) = shown_ballots([ballot], {"q2", "q3"})
    assert cut.items == (("q2", "k"),)
    assert shown_ballots([ballot], {"q1", "q3"}) == []
    assert to_vote_on([], []) == []
