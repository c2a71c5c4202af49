"""A pair of variants as votes and judges see it: what differs, in which order, how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.judging.win_rate import WinRate
from tuneproof.eval.stats.intervals import Floats, Integers
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.judgements import Judgements
from tuneproof.formats.judging import Rate
from tuneproof.formats.votes import Vote, Votes, drawn, key_of_answers


@dataclass(frozen=True, kw_only=True)
class JudgedPair:
    """Two variants over the items of a comparison."""

    a: str
    """The variant whose wins are counted."""
    b: str
    """The other."""
    numbers: dict[str, int]
    """Item -> its number among those whose answers differ."""
    keys: list[str]
    """The key of each one's answers."""
    equal: int
    """Items whose answers do not differ."""
    lengths: Floats
    """(items,) characters of the answer of `a` less those of `b`."""
    units: Integers
    """(items,) the unit of each."""
    ranks: list[int]
    """The rank of each in the order in which they are to be voted on."""

    def over_all(self, rate: WinRate | None, confidence: float) -> Rate | None:
        """Return the win rate over all items, equal answers being ties."""
        if rate is None:
            return None
        from scipy.special import ndtri

        n = len(self.keys) + self.equal
        share = len(self.keys) / n
        drift = abs(rate.value - 0.5) * (share * (1 - share) / n) ** 0.5
        drift *= float(ndtri((1 + confidence) / 2))
        value = share * rate.value + (1 - share) / 2
        below, above = (
            float(np.hypot(share * reach, drift))
            for reach in (rate.value - rate.low, rate.high - rate.value)
        )
        return Rate(value=value, low=max(value - below, 0.0), high=min(value + above, 1.0))


def judged_pair(
    comparison: Comparison, units: NDArray[np.int64] | None, a: str, b: str
) -> JudgedPair:
    """Return two variants with the items whose answers differ.

    Args:
        comparison: Both are in it.
        units: (items,) the unit of each; None where each is its own.
        a: The variant whose wins are counted.
        b: The other.
    """
    indices = [
        index
        for index, item in enumerate(comparison.items)
        if item.answers[a].text != item.answers[b].text
    ]
    items = [comparison.items[index] for index in indices]
    ranks = {number: rank for rank, number in enumerate(drawn(items))}
    return JudgedPair(
        a=a,
        b=b,
        numbers={item.id: number for number, item in enumerate(items)},
        keys=[key_of_answers(item, a, b) for item in items],
        equal=len(comparison.items) - len(items),
        lengths=np.array(
            [len(i.answers[a].text or "") - len(i.answers[b].text or "") for i in items], float
        ),
        units=np.asarray(indices if units is None else units[indices]),
        ranks=[ranks[number] for number in range(len(items))],
    )


@dataclass(frozen=True, kw_only=True)
class CountedVotes:
    """The votes on one pair that are on its answers."""

    by_item: list[list[tuple[str, Vote]]]
    """(items,) every vote on each, with its voter."""
    left_out: int
    """Votes on other answers than those of the comparison."""

    @property
    def all(self) -> list[Vote]:
        """Every vote."""
        return [vote for votes in self.by_item for _, vote in votes]

    def scores(self, pair: JudgedPair) -> Floats:
        """Return (items,) the mean of the votes on each, 1 for `a`; NaN where there is none."""
        return np.array(
            [
                np.mean([score(vote.winner, pair) for _, vote in votes]) if votes else np.nan
                for votes in self.by_item
            ]
        )


def votes_on(pair: JudgedPair, files: Sequence[Votes]) -> CountedVotes:
    """Return the votes of all people on a pair."""
    by_item: list[list[tuple[str, Vote]]] = [[] for _ in pair.keys]
    left_out = 0
    for file in files:
        for vote in file.votes:
            if {vote.left, vote.right} != {pair.a, pair.b}:
                continue
            number = pair.numbers.get(vote.id)
            if number is None or vote.answers not in ("", pair.keys[number]):
                left_out += 1
            else:
                by_item[number].append((file.voter, vote))
    return CountedVotes(by_item=by_item, left_out=left_out)


def opinions_on(pair: JudgedPair, judgements: Judgements) -> tuple[Floats, int]:
    """Return (items,) what a judge said, 1 for `a`, NaN where it was not asked; and those left out.

    Left out are opinions on other answers than those of the comparison.
    """
    said, left_out = np.full(len(pair.keys), np.nan), 0
    for opinion in judgements.opinions:
        number = pair.numbers.get(opinion.id)
        if number is None or opinion.answers != pair.keys[number]:
            left_out += 1
        else:
            said[number] = judgements.score(opinion)
    return said, left_out


def score(winner: str | None, pair: JudgedPair) -> float:
    """Return 1 where `a` wins, 0 where `b` does, 0.5 for a tie."""
    return {pair.a: 1.0, pair.b: 0.0}.get(winner or "", 0.5)
