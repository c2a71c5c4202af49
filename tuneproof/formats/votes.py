"""Votes on pairs of answers: what the report page exports, its types and its reader."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.files import read_json
from tuneproof.formats.codec import decode, has_schema, shown
from tuneproof.formats.comparison import Item

SCHEMA = "tuneproof/votes@1"
Choice = Literal["left", "right", "tie", "bad"]
KEY_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Vote:
    """What one person said of two answers to one item."""

    id: str
    """The item."""
    left: str
    """The variant whose answer stood on the left, by lot; the voter did not see its name."""
    right: str
    """The variant whose answer stood on the right."""
    choice: Choice
    """Which is better: ``left``, ``right``, ``tie``, or ``bad`` where neither will do."""
    answers: str = ""
    """The key of the answers that were voted on (`key_of_answers`); empty: not known."""
    seconds: float | None = None
    """How long it took."""

    @property
    def winner(self) -> str | None:
        """The variant that is better; None for a tie and where both are bad."""
        return {"left": self.left, "right": self.right}.get(self.choice)


@dataclass(frozen=True, kw_only=True)
class Votes:
    """The votes of one person."""

    schema: str = SCHEMA
    """The form of the file."""
    voter: str
    """Who voted, by any name."""
    votes: tuple[Vote, ...]
    """One per item and pair of variants, in the order in which they were cast."""
    source: Path | None = field(default=None, metadata={"in_file": False})
    """The file they were read from."""


def read_votes(path: Path) -> Votes:
    """Read a file of votes.

    Raises:
        InputError: It is none, or somebody votes twice on one pair of answers.
    """
    return votes_from(read_json(path), str(path), path)


def votes_from(document: Any, where: str, source: Path | None = None) -> Votes:
    """Return the votes in a JSON document.

    Raises:
        InputError: As in `read_votes`; the message begins with `where`.
    """
    if not has_schema(document, SCHEMA):
        raise InputError(
            f"{where}: no votes; the page report.html exports them, with the schema {SCHEMA!r}"
        )
    votes = decode(Votes, document, where, source=source)
    if not votes.voter.strip():
        raise InputError(f"{where}: 'voter' is empty; any name will do, each voter another")
    known: set[tuple[str, frozenset[str]]] = set()
    for index, vote in enumerate(votes.votes):
        pair = vote.id, frozenset((vote.left, vote.right))
        if vote.left == vote.right:
            raise InputError(f"{where}: votes[{index}]: left and right are both {vote.left!r}")
        if pair in known:
            raise InputError(f"{where}: votes[{index}]: a second vote on item {shown(vote.id)}")
        known.add(pair)
    return votes


def read_all_votes(paths: Sequence[Path]) -> tuple[Votes, ...]:
    """Read the files of several voters.

    Raises:
        InputError: One is no file of votes, or two have one voter.
    """
    read = tuple(read_votes(path) for path in paths)
    files: dict[str, Path | None] = {}
    for votes in read:
        if votes.voter in files:
            raise InputError(
                f"{votes.source}: voter {votes.voter!r} is in {files[votes.voter]} too; give each "
                "person's last export once"
            )
        files[votes.voter] = votes.source
    return read


def key_of_answers(item: Item, one: str, other: str) -> str:
    """Return a short hash of the answers of two variants, whichever is named first.

    A vote or an opinion on other answers than those of today is recognised by it.
    """
    digest = hashlib.sha256()
    for name in sorted((one, other)):
        digest.update(f"{name}\0{item.answers[name].text}\0".encode())
    return digest.hexdigest()[:KEY_DIGITS]


def drawn(items: Sequence[Item]) -> list[int]:
    """Return the numbers of items in the order in which to vote on them: drawn at random.

    The order goes by a hash of their ids: it is the same for all voters and whatever else changes,
    and has nothing to do with what was answered.
    """
    lots = [hashlib.sha256(f"vote\0{item.id}".encode()).digest() for item in items]
    return sorted(range(len(items)), key=lots.__getitem__)
