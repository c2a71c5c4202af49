"""What a report says of votes and judges: every judge's figure with its accuracy beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from tuneproof.errors import InputError, unknown
from tuneproof.eval.judging.agreement import krippendorff_alpha
from tuneproof.eval.judging.length import length_controlled
from tuneproof.eval.judging.pair import (
    CountedVotes,
    JudgedPair,
    judged_pair,
    opinions_on,
    score,
    votes_on,
)
from tuneproof.eval.judging.win_rate import WinRate, corrected, mean_and_interval, plain
from tuneproof.eval.stats.intervals import DIFFERENCE, SHARE, Floats, Integers, Range
from tuneproof.eval.stats.power import items_to_detect
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.judgements import Judgements, Opinion
from tuneproof.formats.judging import JudgeFigures, Preferred, Rate, VoteFigures
from tuneproof.formats.variant import Variant
from tuneproof.formats.votes import Votes

FEW_VOTES = 30
"""Fewest items with a vote from which intervals are known to hold (`score selftest`)."""
WIN_RATES = (0.55, 0.6, 0.65, 0.7, 0.75)
"""For which the number of votes is given with which they are seen."""
SPREAD = 0.5
"""Largest standard deviation that a vote between 0 and 1 can have."""


def votes_needed(win_rate: float, *, alpha: float, error: float = SPREAD, n: int = 1) -> int:
    """Return the votes with which a win rate is called in 80 % of samples.

    Args:
        win_rate: The true one; half is no difference.
        alpha: Chance of a false verdict.
        error: Standard error of `n` votes; by default the largest that one can have.
        n: Votes of the pilot.
    """
    return items_to_detect(error, n, detect=abs(win_rate - 0.5), alpha=alpha)


def vote_figures(
    comparison: Comparison,
    units: NDArray[np.int64] | None,
    files: Sequence[Votes],
    confidence: float,
) -> tuple[VoteFigures, ...]:
    """Return what people said of every pair of variants that they voted on.

    Raises:
        InputError: A vote is on a variant that is not in the comparison.
    """
    pairs = dict.fromkeys(
        _oriented(comparison, vote.left, vote.right, str(file.source))
        for file in files
        for vote in file.votes
    )
    return tuple(
        _of_votes(judged_pair(comparison, units, a, b), files, confidence) for a, b in pairs
    )


def judge_figures(
    comparison: Comparison,
    units: NDArray[np.int64] | None,
    judgements: Judgements,
    files: Sequence[Votes],
    confidence: float,
) -> JudgeFigures:
    """Return what a judge said, with its accuracy as far as there are votes.

    Raises:
        InputError: It judged variants that are not in the comparison, or other answers.
    """
    for name in (judgements.a, judgements.b):
        if name not in comparison.names:
            raise InputError(f"{judgements.source}: {unknown('variant', name, comparison.names)}")
    pair = judged_pair(comparison, units, judgements.a, judgements.b)
    said, left_out = opinions_on(pair, judgements)
    if np.isnan(said).all() and judgements.opinions:
        raise InputError(
            f"{judgements.source}: judges other answers than those of the comparison; run "
            "`score judge` again"
        )
    votes = votes_on(pair, files)
    return _of_judge(comparison, pair, judgements, said, votes, left_out, confidence)


def _of_votes(pair: JudgedPair, files: Sequence[Votes], confidence: float) -> VoteFigures:
    counted = votes_on(pair, files)
    scores = counted.scores(pair)
    rate = plain(scores, pair.units, confidence)
    over_all = pair.over_all(rate, confidence)
    counts = Counter(
        "bad" if v.choice == "bad" else {pair.a: "a", pair.b: "b"}.get(v.winner or "", "tie")
        for v in counted.all
    )
    shared = [votes for votes in counted.by_item if len(votes) > 1]
    voters = dict.fromkeys(voter for votes in counted.by_item for voter, _ in votes)
    alpha = 1 - confidence
    n = int((~np.isnan(scores)).sum())
    spread = {} if rate is None or not rate.error else {"error": rate.error, "n": rate.n}
    return VoteFigures(
        a=pair.a,
        b=pair.b,
        equal=pair.equal,
        differing=len(pair.keys),
        left_out=counted.left_out,
        cautions=tuple(_cautions(pair, counted, scores)),
        voters=tuple(voters),
        votes=len(counted.all),
        items=n,
        choices={name: counts[name] for name in ("a", "b", "tie", "bad")},
        win_rate=over_all,
        verdict=preferred(over_all),
        shared=len(shared),
        alpha=krippendorff_alpha([[score(v.winner, pair) for _, v in votes] for votes in shared]),
        left=_left_share(pair, counted, confidence),
        needed={
            f"{one:g}": votes_needed(one, alpha=alpha, **(spread if n >= FEW_VOTES else {}))  # type: ignore[arg-type]
            for one in WIN_RATES
        },
    )


def _of_judge(
    comparison: Comparison,
    pair: JudgedPair,
    judgements: Judgements,
    said: Floats,
    votes: CountedVotes,
    left_out: int,
    confidence: float,
) -> JudgeFigures:
    asked = ~np.isnan(said)
    units = pair.units[asked]
    known = [
        one
        for one in judgements.opinions
        if one.id in pair.numbers and one.answers == pair.keys[pair.numbers[one.id]]
    ]
    both = [one for one in known if None not in (one.a_first, one.b_first)]
    order = np.array([pair.units[pair.numbers[one.id]] for one in both])
    figures = JudgeFigures(
        a=pair.a,
        b=pair.b,
        equal=pair.equal,
        differing=len(pair.keys),
        left_out=left_out,
        judge=judgements.judge,
        rubric=judgements.rubric,
        cost=judgements.cost,
        items=len(known),
        unread=sum((one.a_first is None) + (one.b_first is None) for one in known),
        addressed=sum(bool(one.addressed) for one in known),
        opinion=pair.over_all(plain(said, pair.units, confidence), confidence),
        length_controlled=_rate(
            length_controlled(said[asked], pair.lengths[asked], units, confidence)
            if asked.any()
            else None
        ),
        same_both_ways=_mean(
            [one.a_first == one.b_first for one in both], order, confidence, SHARE
        ),
        position=_mean([_leaning(one) for one in both], order, confidence, DIFFERENCE),
    )
    scores = votes.scores(pair)
    checked = ~np.isnan(scores) & asked
    if checked.sum() < 2:
        return figures
    return _checked(comparison, pair, figures, said, scores, votes, confidence)


def _leaning(opinion: Opinion) -> float:
    """Return 1 where a judge chose the first answer twice, -1 for the second, else between."""
    first = {"a": 1.0, "b": -1.0}
    return (first.get(str(opinion.a_first), 0.0) - first.get(str(opinion.b_first), 0.0)) / 2


def _checked(
    comparison: Comparison,
    pair: JudgedPair,
    figures: JudgeFigures,
    said: Floats,
    scores: Floats,
    votes: CountedVotes,
    confidence: float,
) -> JudgeFigures:
    """Return a judge's figures with what the votes say of them."""
    checked = ~np.isnan(scores) & ~np.isnan(said)
    units, ours, theirs = pair.units[checked], said[checked], scores[checked]
    verdicts = np.sign(theirs - 0.5)
    alone = plain(np.where(checked, scores, np.nan), pair.units, confidence)
    rate = corrected(scores, said, pair.units, confidence)
    over_all = pair.over_all(rate, confidence)
    longer, excess = np.sign(pair.lengths[checked]), ours - theirs
    own, family = own_family(comparison, figures.judge.model, pair.a, pair.b)
    toward = {pair.a: 1.0, pair.b: -1.0}.get(own, 0.0)
    return replace(
        figures,
        cautions=tuple(_cautions(pair, votes, scores)),
        votes=int(checked.sum()),
        agreement=_mean(np.sign(ours - 0.5) == verdicts, units, confidence, SHARE),
        blind=float(max(np.mean(verdicts == one) for one in (-1, 0, 1))),
        length_bias=_mean(
            (longer * excess)[longer != 0], units[longer != 0], confidence, DIFFERENCE
        ),
        family_bias=_mean(toward * excess, units, confidence, DIFFERENCE) if toward else None,
        family=family,
        corrected=over_all,
        votes_alone=pair.over_all(alone, confidence),
        weight=None if rate is None else rate.weight,
        worth=_worth(rate, alone),
        verdict=preferred(over_all),
    )


def own_family(comparison: Comparison, judge: str, a: str, b: str) -> tuple[str, str]:
    """Return which of two variants is of the judge's own family, and that in words.

    The first is empty where neither is, both are, or a model is not known. A variant that is the
    judge itself counts before one that was made from it.
    """
    variants = comparison.by_name
    families = {name: family_of(variants[name].model) for name in (a, b)}
    own = [name for name in (a, b) if families[name] and families[name] == family_of(judge)]
    selves = [name for name in own if is_itself(variants[name], judge)]
    if len(own) == 1:
        return own[0], f"{own[0]} is of its family"
    if len(selves) == 1:
        return selves[0], f"{selves[0]} is the judge itself, the other was made from it"
    if len(own) == 2:
        return "", "not measurable: both are of its family"
    if not all(families.values()):
        return "", "not known: the comparison does not say which models answered"
    return "", "neither is of its family"


def family_of(model: str | None) -> str:
    """Return the family in a model's name: the letters that its last part begins with."""
    match = re.match(r"[A-Za-z]+", PurePath(model or "").name)
    return match[0].lower() if match else ""


def is_itself(variant: Variant, judge: str) -> bool:
    """Return whether a variant is a model as it is, not tuned."""
    return not variant.is_tuned and variant.adapter is None and variant.model == judge


def preferred(rate: Rate | None) -> Preferred:
    """Return what a win rate says: better or worse where its interval leaves out one half."""
    if rate is None or rate.low <= 0.5 <= rate.high:
        return "no measurable difference"
    return "better" if rate.low > 0.5 else "worse"


def _worth(rate: WinRate | None, alone: WinRate | None) -> float | None:
    """Return how many votes alone would have the error that votes and judge have together."""
    if rate is None or alone is None or not rate.error:
        return None
    return alone.n * (alone.error / rate.error) ** 2


def _cautions(pair: JudgedPair, votes: CountedVotes, scores: Floats) -> list[str]:
    """Return what makes intervals less sure than they say."""
    cautions = []
    n = int((~np.isnan(scores)).sum())
    if n < FEW_VOTES:
        cautions.append(f"votes on {n} items are few; intervals are tested from {FEW_VOTES}")
    voters = {voter for one in votes.by_item for voter, _ in one}
    for voter in sorted(voters):
        ranks = [
            rank
            for rank, one in zip(pair.ranks, votes.by_item, strict=True)
            if any(who == voter for who, _ in one)
        ]
        if max(ranks) >= len(ranks):
            cautions.append(
                f"{voter} did not vote on the items in the order drawn; where somebody chose them, "
                "the figures hold for those items alone"
            )
    return cautions


def _left_share(pair: JudgedPair, votes: CountedVotes, confidence: float) -> Rate | None:
    decided = [
        (float(vote.choice == "left"), unit)
        for unit, one in zip(pair.units, votes.by_item, strict=True)
        for _, vote in one
        if vote.winner is not None
    ]
    if not decided:
        return None
    values, units = (np.array(column) for column in zip(*decided, strict=True))
    rate = plain(values, units, confidence)
    return None if rate is None else Rate(value=rate.value, low=rate.low, high=rate.high)


def _mean(
    values: Sequence[float] | NDArray[np.generic], units: Integers, confidence: float, bounds: Range
) -> Rate | None:
    return _rate(mean_and_interval(np.asarray(values, float), units, confidence, bounds))


def _rate(figure: tuple[float, float, float] | None) -> Rate | None:
    return None if figure is None else Rate(value=figure[0], low=figure[1], high=figure[2])


def _oriented(comparison: Comparison, one: str, other: str, where: str) -> tuple[str, str]:
    """Return a pair with the tuned variant first, otherwise the later one."""
    for name in (one, other):
        if name not in comparison.names:
            raise InputError(f"{where}: {unknown('variant', name, comparison.names)}")
    a, b = sorted(
        (one, other),
        key=lambda name: (name in comparison.tuned, comparison.names.index(name)),
        reverse=True,
    )
    return a, b
