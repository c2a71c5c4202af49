"""Recognising a classification task: a file of prompts whose manifest names its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example, read_examples


@dataclass(frozen=True, kw_only=True)
class LabelTask:
    """A task whose answers are labels."""

    name: str
    """The task, as the records name it."""
    labels: tuple[str, ...]
    """The label set, in the manifest's order."""
    train_file: Path
    """The training records beside the prompts; the baselines learn from them."""

    def train_records(self) -> list[Example]:
        """Return the task's training records; none where the file is missing."""
        if not self.train_file.is_file():
            return []
        return [record for record in read_examples(self.train_file) if record.task == self.name]


def find_task(prompts: Path, items: Sequence[Example]) -> LabelTask | None:
    """Return the labelled task that the prompts of a built folder ask for, or None.

    Raises:
        InputError: A prompt's reference is none of its task's labels.
    """
    folder = DataFolder(prompts.parent)
    labels = folder.labels
    tasks = {item.task for item in items}
    if len(tasks) != 1 or (name := next(iter(tasks))) not in labels:
        return None
    for item in items:
        if item.reference not in labels[name]:
            found = item.reference or ""
            raise InputError(f"{prompts}: {item.id}: {unknown('label', found, labels[name])}")
    return LabelTask(name=name, labels=tuple(labels[name]), train_file=folder.file("train"))
