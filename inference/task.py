"""What prompts ask for: a label set where there is one; and the training examples they go with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example, read_examples
from tuneproof.formats.run import Data


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


def train_file(prompts: Path, trained_on: Sequence[Data] = ()) -> Path:
    """Return where the training examples are, if there are any.

    They are those beside the prompts. Prompts from elsewhere go with what a run was trained on, as
    far as that is still there: whatever a tuning learnt from, the base can be shown as well.

    Args:
        prompts: The file of prompts.
        trained_on: The data of the runs that are asked; the first that is there is taken.
    """
    own = DataFolder(prompts.parent).file("train")
    if own.is_file():
        return own
    for data in trained_on:
        folder = DataFolder(Path(data.folder))
        if folder.file("train").is_file() and folder.fingerprint == data.fingerprint:
            return folder.file("train")
    return own


def train_examples(file: Path, prompts: Path, task: LabelTask | None) -> list[Example]:
    """Return the examples of a file; of a labelled task only its own.

    There are none where the file is missing. Labels of other data answer no prompts from elsewhere.
    """
    if not file.is_file():
        return []
    foreign = DataFolder(file.parent).labels if file.parent != prompts.parent else {}
    return [
        one
        for one in read_examples(file)
        if (one.task == task.name if task else one.task not in foreign)
    ]
