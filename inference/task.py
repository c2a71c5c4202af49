"""What prompts ask for: a label set where there is one, and the training examples beside them."""

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


def find_task(prompts: Path, items: Sequence[Example]) -> LabelTask | None:
    """Return the labelled task that the prompts of a built folder ask for, or None.

    Raises:
        InputError: A prompt's reference is none of its task's labels.
    """
    labels = DataFolder(prompts.parent).labels
    tasks = {item.task for item in items}
    if len(tasks) != 1 or (name := next(iter(tasks))) not in labels:
        return None
    for item in items:
        if item.reference not in labels[name]:
            fault = unknown("label", item.reference or "", labels[name])
            raise InputError(f"{prompts}: {item.id}: {fault}")
    return LabelTask(name=name, labels=tuple(labels[name]))


def train_file(prompts: Path) -> Path:
    """Return where the training examples beside the prompts are, if there are any."""
    return DataFolder(prompts.parent).file("train")


def train_examples(prompts: Path, task: LabelTask | None) -> list[Example]:
    """Return the training examples beside the prompts, of a labelled task only its own.

    There are none where the file is missing.
    """
    file = train_file(prompts)
    if not file.is_file():
        return []
    return [one for one in read_examples(file) if task is None or one.task == task.name]
