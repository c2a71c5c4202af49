"""Records as the token ids and labels that the trainer reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tuneproof.formats.example import Example
from tuneproof.prompts.fit import Encoded, fit
from tuneproof.prompts.template import Template

IGNORED = -100
"""The label of a position that is not trained on."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Tokenised records, and what became of those that were too long."""

    rows: list[dict[str, list[int]]]
    """`input_ids` and `labels`, both of shape (tokens,); labels are -100 on the prompt."""
    shortened: int
    """How many had part of their input left out."""
    too_long: list[str] = field(default_factory=list)
    """Ids of the records that do not fit even without their input, and were dropped."""

    @property
    def tokens(self) -> int:
        """All tokens of all rows."""
        return sum(len(row["input_ids"]) for row in self.rows)

    @property
    def trained_tokens(self) -> int:
        """The tokens that the loss covers."""
        return sum(label != IGNORED for row in self.rows for label in row["labels"])

    def counts(self) -> dict[str, int]:
        """Return the counts that a run records."""
        return {
            "examples": len(self.rows),
            "tokens": self.tokens,
            "longest": max((len(row["input_ids"]) for row in self.rows), default=0),
            "trained_tokens": self.trained_tokens,
            "shortened": self.shortened,
            "too_long": len(self.too_long),
        }


def encode(
    records: Iterable[Example], template: Template, tokenizer: Any, max_length: int
) -> Examples:
    """Tokenise records for training: the loss covers the answer and its EOS, nothing else."""
    rows: list[dict[str, list[int]]] = []
    too_long: list[str] = []
    shortened = 0
    for record in records:
        encoded = fit(
            template,
            tokenizer,
            record.instruction,
            record.input,
            max_length=max_length,
            output=record.output,
        )
        if encoded is None:
            too_long.append(record.id)
            continue
        shortened += encoded.is_shortened
        rows.append(as_row(encoded))
    return Examples(rows=rows, shortened=shortened, too_long=too_long)


def as_row(encoded: Encoded) -> dict[str, list[int]]:
    """Return one example as `input_ids` and `labels`; masked by position, never by token id."""
    return {
        "input_ids": encoded.prompt_ids + encoded.completion_ids,
        "labels": [IGNORED] * len(encoded.prompt_ids) + encoded.completion_ids,
    }


def marked(row: dict[str, list[int]], tokenizer: Any) -> str:
    """Return an example as text, with the part that is trained on between ``[[`` and ``]]``."""
    start = sum(label == IGNORED for label in row["labels"])
    prompt = tokenizer.decode(row["input_ids"][:start])
    return f"{prompt}[[{tokenizer.decode(row['input_ids'][start:])}]]"
