"""Records as texts with labels: the label set, and the token ids and label ids of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example
from tuneproof.inference.classifier import tokenized

SHOWN_LABELS = 12
"""Labels named in the line about the examples."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Tokenised texts with their labels."""

    rows: list[dict[str, Any]]
    """`input_ids` and `attention_mask`, both of shape (tokens,), and `labels`, a label's place."""
    outputs: list[str]
    """The label of each row by its name, as the record has it."""
    shortened: int
    """How many texts had their end left out."""

    def counts(self) -> dict[str, int]:
        """Return the counts that a run records."""
        return {
            "examples": len(self.rows),
            "tokens": sum(len(row["input_ids"]) for row in self.rows),
            "longest": max((len(row["input_ids"]) for row in self.rows), default=0),
            "shortened": self.shortened,
        }


def label_set(data: DataFolder) -> list[str]:
    """Return the labels of the one task that the records hold.

    They are the manifest's, in its order; where it names none, the outputs of train, sorted.

    Raises:
        InputError: Several tasks, one label only, or a record whose output is none of the labels.
    """
    tasks = sorted({record.task for record in [*data.train, *data.validation]})
    if len(tasks) > 1:
        raise InputError(
            f"the records are of {len(tasks)} tasks ({', '.join(tasks)}); a classification head is "
            "trained on one. Build the data with one --source"
        )
    outputs = {record.output for record in data.train}
    labels = data.labels.get(tasks[0]) or sorted(outputs)
    if len(labels) < 2:
        raise InputError(
            f"there is one label only, {labels[0]!r}; a classification head needs at least two"
        )
    if tasks[0] not in data.labels and 2 * len(labels) > len(data.train):
        raise InputError(
            f"{len(data.train):,} training records have {len(labels):,} different outputs; these "
            "are no labels. To learn to write them, use --objective generate"
        )
    for part, records in (("training", data.train), ("validation", data.validation)):
        for record in records:
            if record.output not in labels:
                where = f"label of the {part} record {record.id!r}:"
                raise unknown(where, record.output, labels)
    return labels


def encode(
    records: Sequence[Example], labels: Sequence[str], tokenizer: Any, max_length: int
) -> Labelled:
    """Tokenise the records' texts as they are, without any template."""
    place = {label: index for index, label in enumerate(labels)}
    texts = [record.text for record in records]
    ids, shortened = tokenized(texts, tokenizer, max_length)
    return Labelled(
        rows=[
            {
                "input_ids": row,
                "attention_mask": [1] * len(row),
                "labels": place[record.output],
            }
            for row, record in zip(ids, records, strict=True)
        ],
        outputs=[record.output for record in records],
        shortened=sum(shortened),
    )


def summary(examples: Labelled, labels: Sequence[str]) -> str:
    """Return the examples in one line."""
    counts = examples.counts()
    found = Counter(row["labels"] for row in examples.rows)
    named = [f"{label} {found[place]:,}" for place, label in enumerate(labels)][:SHOWN_LABELS]
    if len(labels) > SHOWN_LABELS:
        named.append(f"and {len(labels) - SHOWN_LABELS} more")
    return (
        f"{counts['examples']:,} examples, {counts['tokens']:,} tokens; "
        f"{counts['shortened']:,} texts shortened "
        f"({counts['shortened'] / counts['examples']:.1%}); "
        f"{len(labels)} labels: {', '.join(named)}"
    )


def marked(row: dict[str, Any], labels: Sequence[str], tokenizer: Any) -> str:
    """Return an example as text, with its label between ``[[`` and ``]]``."""
    return f"{tokenizer.decode(row['input_ids'])} -> [[{labels[row['labels']]}]]"
