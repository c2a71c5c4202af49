"""What a judge said of pairs of answers: judgements.json, its types, its reader and its writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.formats.codec import decode, encode, has_schema

SCHEMA = "tuneproof/judgements@1"
Said = Literal["a", "b", "tie"]


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Who judged."""

    name: str
    """What reports call it."""
    model: str
    """The model, as it was named."""
    kind: Literal["model", "endpoint"]
    """Whether its weights were loaded here, or a server was asked."""
    url: str | None = field(default=None, metadata={"omit": True})
    """The server's address."""


@dataclass(frozen=True, kw_only=True)
class JudgeCost:
    """What the judging took, calls that were answered from the cache included."""

    calls: int
    """Questions that the judge answered."""
    cached: int
    """Those of them that had been answered before."""
    prompt_tokens: int
    """Tokens read."""
    answer_tokens: int
    """Tokens written; 0 where the probabilities of the verdicts were read off."""
    seconds: float
    """Time that the answers took when they were given."""
    price: float | None = field(default=None, metadata={"omit": True})
    """What they cost, in the currency of the prices that were named."""


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What the judge said of one item, asked twice."""

    id: str
    """The item."""
    answers: str
    """The key of the answers, see `votes.key_of_answers`."""
    a_first: Said | None
    """What it said with the answer of `a` first; None where that could not be read."""
    b_first: Said | None
    """What it said with the answer of `b` first."""
    probabilities: Mapping[str, Mapping[str, float]] | None = field(
        default=None, metadata={"omit": True}
    )
    """With either order (`a_first`, `b_first`), the probability of ``a``, ``b`` and ``tie``."""
    addressed: tuple[str, ...] = field(default=(), metadata={"omit": True})
    """The variants whose answers speak to the judge; these cannot win."""
    shortened: bool = field(default=False, metadata={"omit": True})
    """Whether question or answers were cut to fit the judge."""

    @property
    def winner(self) -> Said:
        """Return what the two orders agree on; a tie where they disagree or one is not known."""
        if self.a_first != self.b_first or self.a_first is None:
            return "tie"
        return self.a_first


@dataclass(frozen=True, kw_only=True)
class Judgements:
    """A judge's opinions on the answers of two variants."""

    schema: str = SCHEMA
    """The form of the file."""
    judge: Judge
    """Who judged."""
    a: str
    """The variant that is judged."""
    b: str
    """The variant that it is held against."""
    rubric: str
    """By what the answers were judged."""
    cost: JudgeCost
    """What it took."""
    left_out: tuple[str, ...] = ()
    """Items that were too long for the judge even when cut, or that it refused."""
    opinions: tuple[Opinion, ...]
    """By item; items with two equal answers are ties and not asked about."""
    source: Path | None = field(default=None, metadata={"in_file": False})
    """The file they were read from."""

    def score(self, opinion: Opinion) -> float:
        """Return 1 where `a` wins, 0 where it loses, else 0.5."""
        winner = opinion.winner
        if winner != "tie" and (self.a if winner == "a" else self.b) in opinion.addressed:
            return 0.5
        return {"a": 1.0, "b": 0.0, "tie": 0.5}[winner]


def write_judgements(path: Path, judgements: Judgements) -> None:
    """Write judgements.json, whole or not at all."""
    write_json(path, encode(judgements))


def read_judgements(path: Path) -> Judgements:
    """Read what a judge said.

    Raises:
        InputError: It is no file of judgements.
    """
    document = read_json(path)
    if not has_schema(document, SCHEMA):
        raise InputError(f"{path}: no judgements; `score judge` writes them")
    return decode(Judgements, document, str(path), source=path)
