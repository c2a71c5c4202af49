"""The folder of records that a run is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import fingerprint
from tuneproof.formats.example import FILES, Example, read_examples
from tuneproof.prepdata import manifest


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a data folder holds."""

    fingerprint: str
    """Identifies the bytes of the files, as they are now."""
    labels: dict[str, list[str]]
    """The label set of each classification task, as the manifest has it."""
    train: list[Example]
    """The records to train on, at least one."""
    validation: list[Example]
    """The records the best checkpoint is chosen by; may be empty."""

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks in train."""
        return sorted({record.task for record in self.train})


def read_data(folder: Path, limit: int | None = None) -> Data:
    """Read the folder that `prepdata build` wrote, or one that holds a train.jsonl of records.

    Args:
        folder: Holds train.jsonl and perhaps val.jsonl and manifest.json.
        limit: Keep the first so many training records only.

    Raises:
        InputError: There is no such folder, nothing to train on in it, or a line is no record.
    """
    identity = data_fingerprint(folder)
    train = list(read_examples(folder / FILES["train"]))
    if not train:
        raise InputError(f"{folder / FILES['train']} is empty; there is nothing to train on")
    validation = folder / FILES["validation"]
    return Data(
        fingerprint=identity,
        labels=_labels(folder),
        train=train[:limit],
        validation=list(read_examples(validation)) if validation.is_file() else [],
    )


def data_fingerprint(folder: Path) -> str:
    """Return what identifies a folder's data: the beginnings of its files' hashes.

    Raises:
        InputError: There is no such folder, or no train.jsonl in it.
    """
    if not (folder / FILES["train"]).is_file():
        what = f"{folder} holds no {FILES['train']}" if folder.is_dir() else f"no folder {folder}"
        raise InputError(f"{what}; make it with `prepdata build --out {folder}`")
    files = [folder / name for name in FILES.values()]
    return " ".join(fingerprint(file)[:16] if file.is_file() else "-" for file in files)


def _labels(folder: Path) -> dict[str, list[str]]:
    if not (folder / manifest.NAME).is_file():
        return {}
    built: dict[str, Any] = manifest.read(folder)
    return dict(built["labels"])
