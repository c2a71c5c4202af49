"""The ballots of the page: which pairs of answers people may vote on, and in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tuneproof.eval.judging.figures import WIN_RATES, votes_needed
from tuneproof.eval.report.examples import ShownItem
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.report import Report
from tuneproof.formats.votes import drawn, key_of_answers

MOST = 400
"""Items of a ballot: nobody votes on more."""
KEPT = 200
"""The first of them, which the page holds whatever else it leaves out."""


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """Two variants whose answers are voted on."""

    a: str
    """The tuned variant."""
    b: str
    """What it is held against."""
    id: str
    """Changes with the answers, so that a browser goes on with the votes on these alone."""
    items: tuple[tuple[str, str], ...]
    """Ids and the keys of their answers, in the order drawn; equal answers are left out."""
    goals: tuple[tuple[float, int], ...]
    """Win rates, and the votes with which each is seen."""


def ballots_of(comparison: Comparison, report: Report) -> list[Ballot]:
    """Return a ballot for every tuned variant, against the base; none for scored labels."""
    if comparison.labels is not None:
        return []
    alpha = 1 - report.settings.confidence
    goals = tuple((rate, votes_needed(rate, alpha=alpha)) for rate in WIN_RATES)
    ballots = (_ballot(comparison, name, goals) for name in comparison.tuned)
    return [ballot for ballot in ballots if ballot.items]


def to_vote_on(items: Sequence[ShownItem], ballots: Sequence[Ballot]) -> list[int]:
    """Return the numbers of the items that the page must hold for the first votes."""
    numbers = {item.id: number for number, item in enumerate(items)}
    wanted = (numbers[name] for ballot in ballots for name, _ in ballot.items[:KEPT])
    return list(dict.fromkeys(wanted))


def shown_ballots(ballots: Sequence[Ballot], kept: Collection[str]) -> list[Ballot]:
    """Return ballots without what comes after the first item that the page does not hold."""
    cut = []
    for ballot in ballots:
        end = next((n for n, (name, _) in enumerate(ballot.items) if name not in kept), None)
        cut.append(replace(ballot, items=ballot.items[:end]))
    return [ballot for ballot in cut if ballot.items]


def _ballot(comparison: Comparison, name: str, goals: tuple[tuple[float, int], ...]) -> Ballot:
    base = comparison.base
    items = [
        item
        for item in comparison.items
        if item.answers[name].text is not None
        and item.answers[base].text is not None
        and item.answers[name].text != item.answers[base].text
    ]
    listed = tuple(
        (items[number].id, key_of_answers(items[number], name, base)) for number in drawn(items)
    )
    digest = hashlib.sha256("".join(key for _, key in listed).encode())
    return Ballot(a=name, b=base, id=digest.hexdigest()[:16], items=listed[:MOST], goals=goals)
