"""What a report says of votes and judges: the types that report.json holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tuneproof.formats.judgements import Judge, JudgeCost

Preferred = Literal["better", "worse", "no measurable difference"]


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share, a mean or a difference with its interval."""

    value: float
    """The figure; a share is a part of 1."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of it."""


@dataclass(frozen=True, kw_only=True)
class PairFigures:
    """Two variants whose answers were judged."""

    a: str
    """The variant whose wins are counted."""
    b: str
    """The variant that it is held against."""
    equal: int
    """Items with two equal answers: ties without being asked about."""
    differing: int
    """Items with two different answers."""
    left_out: int
    """Votes or opinions on items or answers that are not those of the comparison."""
    cautions: tuple[str, ...] = ()
    """What makes the figures less sure than their intervals say."""


@dataclass(frozen=True, kw_only=True)
class VoteFigures(PairFigures):
    """What people said of the answers of two variants."""

    voters: tuple[str, ...]
    """Who voted."""
    votes: int
    """All votes."""
    items: int
    """Items that somebody voted on."""
    choices: Mapping[str, int]
    """Number of votes for `a`, for `b`, for a `tie`, and that both are `bad`."""
    win_rate: Rate | None
    """Share of all items that `a` wins, ties counting half; None for fewer than two."""
    verdict: Preferred
    """What may be said of `a`."""
    shared: int
    """Items that two or more people voted on."""
    alpha: float | None
    """Krippendorff's alpha of their votes; None where they share none, or all are alike."""
    left: Rate | None
    """Share of the decided votes that went to the left answer: half where place plays no part."""
    needed: Mapping[str, int]
    """Win rate -> votes with which it is called in 80 % of samples."""


@dataclass(frozen=True, kw_only=True)
class JudgeFigures(PairFigures):
    """What a judge said of the answers of two variants, and how far it can be trusted."""

    judge: Judge
    """Who judged."""
    rubric: str
    """By what."""
    cost: JudgeCost
    """What it took."""
    items: int
    """Items that it was asked about, each in both orders."""
    unread: int
    """Of these, how many times what it said could not be read."""
    addressed: int
    """Items with an answer that speaks to the judge."""
    opinion: Rate | None
    """Share of all items that `a` wins in its opinion."""
    length_controlled: Rate | None
    """The same at equal lengths; None where it cannot be fitted."""
    same_both_ways: Rate | None
    """Share of the items in which it says the same in both orders."""
    position: Rate | None
    """How much more often it chooses the first answer than the second, as a part of all answers."""
    votes: int = 0
    """Items with a vote as well."""
    agreement: Rate | None = field(default=None, metadata={"omit": True})
    """Share of these in which it says what people said."""
    blind: float | None = field(default=None, metadata={"omit": True})
    """Agreement that whoever always says the commonest verdict would have."""
    length_bias: Rate | None = field(default=None, metadata={"omit": True})
    """How much more it gives to the longer answer than people do, in win rate."""
    family_bias: Rate | None = field(default=None, metadata={"omit": True})
    """How much more it gives to the answer of its own family than people do, in win rate."""
    family: str = ""
    """Whose answer is of its own family; or why there is no figure of it."""
    corrected: Rate | None = field(default=None, metadata={"omit": True})
    """The win rate of `a`, corrected by the votes."""
    votes_alone: Rate | None = field(default=None, metadata={"omit": True})
    """The win rate of `a` by the same votes without the judge."""
    weight: float | None = field(default=None, metadata={"omit": True})
    """How much the judge counts in the corrected rate, from 0 to 1."""
    worth: float | None = field(default=None, metadata={"omit": True})
    """Votes that would give as narrow an interval without the judge."""
    verdict: Preferred | None = field(default=None, metadata={"omit": True})
    """What may be said of `a`; None without votes: an opinion is no verdict."""
