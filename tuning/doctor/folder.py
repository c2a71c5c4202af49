"""A data folder as the doctor sees it: all three files, and what makes two questions the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.formats.example import FILES, Example, Split, normalised, read_examples
from tuneproof.prepdata import manifest
from tuneproof.prepdata.duplicates import FIGURES

Key = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The records of a data folder."""

    path: Path
    """The folder, for messages."""
    train: Sequence[Example]
    """The records to train on."""
    validation: Sequence[Example] = ()
    """The records the best checkpoint is chosen by."""
    test: Sequence[Example] = ()
    """The records that are asked afterwards."""
    labels: dict[str, list[str]] = field(default_factory=dict)
    """The label set of each classification task, as the manifest has it."""

    is_as_built: bool = False
    """Whether the files are as `prepdata build` wrote them, without repeats in other splits."""

    def file(self, split: Split) -> Path:
        """Return the path of a split's file, for messages."""
        return self.path / FILES[split]

    @property
    def splits(self) -> dict[Split, Sequence[Example]]:
        """The records by split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def held_out(self) -> dict[Split, Sequence[Example]]:
        """The records that train must not hold, by split; the test first."""
        return {"test": self.test, "validation": self.validation}


def read_folder(path: Path) -> Folder:
    """Read a folder that `prepdata build` or somebody else wrote.

    Raises:
        InputError: There is no train.jsonl in it, or a line is no record.
    """
    if not (path / FILES["train"]).is_file():
        raise InputError(f"{path} holds no {FILES['train']}; make it with `prepdata build`")
    parts: dict[str, list[Example]] = {
        split: list(read_examples(path / name)) if (path / name).is_file() else []
        for split, name in FILES.items()
    }
    built = manifest.read(path) if (path / manifest.NAME).is_file() else {}
    return Folder(
        path=path,
        labels=dict(built.get("labels", {})),
        is_as_built="files" in built and manifest.is_intact(path, built),
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
    )


def key(record: Example) -> Key:
    """Return what makes two questions the same: their words, and the figures in them."""
    texts = (normalised(text) or text.strip() for text in (record.instruction, record.input))
    return (*texts, *(figure.strip() for figure in FIGURES.findall(record.instruction)))
