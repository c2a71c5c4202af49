"""The data folder: what `prepdata build` writes, and training, answering and the doctor read.

It holds train.jsonl, val.jsonl and test.jsonl, one example a line, and manifest.json, which says
from what they were built and what was left out; the repeats among that are in dropped.jsonl. A
folder that somebody else wrote needs train.jsonl only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from tuneproof.errors import InputError
from tuneproof.files import fingerprint, read_json, write_json
from tuneproof.formats.codec import decode, encode, has_schema
from tuneproof.formats.example import TEST_PROMPTS, Example, open_examples
from tuneproof.stamp import Stamp

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
FILES: dict[Split, str] = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
MANIFEST = "manifest.json"
DROPPED = "dropped.jsonl"
"""What was left out as a repeat, each with the record it repeats; only for people to look at."""
SCHEMA = "tuneproof/data@1"


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What a build took from one source, and what it left out."""

    origin: str = field(metadata={"key": "from"})
    """A path, the Hub's id, or ``embedded``."""
    licence: str
    """Under what it may be used."""
    files: dict[str, str]
    """SHA-256 of each local file, by name, and of the label names that a card gives; empty where it
    came from the Hub."""
    records: dict[Split, int]
    """Number of records by split."""
    dropped: dict[str, int]
    """Number of rows that were left out, by reason."""
    notes: dict[str, int] = field(default_factory=dict, metadata={"omit": True})
    """What was counted of all rows that were read; empty where the source counts nothing."""
    read: dict[str, int] = field(default_factory=dict, metadata={"omit": True})
    """Number of rows read, by file, and by list, sheet or split in it."""
    remarks: list[str] = field(default_factory=list, metadata={"omit": True})
    """What was assumed of the files, and what of them was not read."""


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """One of the three files as the build wrote it."""

    records: int
    """Number of its lines."""
    sha256: str
    """Of its bytes, as 64 hex digits."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a build came to: the content of manifest.json; what an older one lacks is empty."""

    seed: int | None = None
    """Decides the order of the records and what --limit draws."""
    config: dict[str, Any] = field(default_factory=dict)
    """The settings of the build, as JSON holds them."""
    sources: dict[str, SourceFacts] = field(default_factory=dict)
    """By name, in the order given."""
    labels: dict[str, list[str]] = field(default_factory=dict)
    """The label set of each classification task."""
    label_counts: dict[str, dict[str, dict[Split, int]]] = field(default_factory=dict)
    """Number of records by task, label and split."""
    files: dict[str, FileFacts] = field(default_factory=dict)
    """By file name."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the packages that decide what is read and what counts as a duplicate."""
    code: str = ""
    """SHA-256 of the code that built it; empty in older manifests."""

    @property
    def stamp(self) -> Stamp:
        """What the folder was built from."""
        return Stamp(
            settings={name: value for name, value in self.config.items() if name != "out"},
            inputs={
                f"{name}: {file}": sha256
                for name, source in self.sources.items()
                for file, sha256 in source.files.items()
            },
            code=self.code,
            versions=self.versions,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object of manifest.json."""
        return {"schema": SCHEMA, **encode(self)}

    def write(self, folder: Path) -> None:
        """Write manifest.json, whole or not at all."""
        write_json(folder / MANIFEST, self.as_json())


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest.

    Raises:
        InputError: There is no such folder, or no manifest of ours in it.
    """
    if not (folder / MANIFEST).is_file():
        what = f"{folder} has no {MANIFEST}" if folder.is_dir() else f"no such folder: {folder}"
        raise InputError(f"{what}; make one with `prepdata build --out {folder}`")
    value = read_json(folder / MANIFEST)
    if not has_schema(value, SCHEMA):
        raise InputError(f"{folder / MANIFEST}: not a manifest of schema {SCHEMA}")
    return decode(Manifest, value, str(folder / MANIFEST))


@dataclass(frozen=True)
class DataFolder:
    """A data folder, whose files are read once each, when they are first asked for.

    Of a large file the examples stay on the disk, and are read anew whenever they are gone through.

    Reading raises InputError where the folder or its train.jsonl is missing, or a line is no
    example; the other files may be missing.
    """

    path: Path
    """The folder."""
    limit: int | None = None
    """Keep the first so many training records only."""

    @cached_property
    def train(self) -> Sequence[Example]:
        """The records to train on."""
        self.check()
        return open_examples(self.file("train"), self.limit)

    @cached_property
    def validation(self) -> Sequence[Example]:
        """The records the best checkpoint is chosen by."""
        return self._read("validation")

    @cached_property
    def test(self) -> Sequence[Example]:
        """The records that are asked afterwards."""
        return self._read("test")

    @property
    def splits(self) -> dict[Split, Sequence[Example]]:
        """All records by split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def held_out(self) -> dict[Split, Sequence[Example]]:
        """The records that train must not hold, by split; the test first."""
        return {"test": self.test, "validation": self.validation}

    @cached_property
    def tasks(self) -> list[str]:
        """The names of the tasks in train."""
        return sorted({record.task for record in self.train})

    @cached_property
    def manifest(self) -> Manifest | None:
        """What manifest.json says, where there is one."""
        return read_manifest(self.path) if (self.path / MANIFEST).is_file() else None

    @property
    def labels(self) -> dict[str, list[str]]:
        """The label set of each classification task that the manifest names."""
        return self.manifest.labels if self.manifest else {}

    @property
    def fingerprint(self) -> str:
        """What identifies the bytes of the files as they are now: their hashes' beginnings."""
        self.check()
        return " ".join(self._hashes.get(name, "-")[:16] for name in FILES.values())

    @property
    def is_as_built(self) -> bool:
        """Whether the files are byte for byte those that `prepdata build` wrote."""
        return bool(self.manifest and self.manifest.files) and not self.edited

    @cached_property
    def edited(self) -> list[str]:
        """The files that are not, byte for byte, those that manifest.json vouches for."""
        stated = self.manifest.files if self.manifest else {}
        return [name for name, facts in stated.items() if self._hashes.get(name) != facts.sha256]

    def file(self, split: Split) -> Path:
        """Return the path of a split's file, whether it is there or not."""
        return self.path / FILES[split]

    def check(self) -> None:
        """Raise InputError where the folder or its train.jsonl is missing."""
        if not self.file("train").is_file():
            is_folder = self.path.is_dir()
            what = (
                f"{self.path} holds no {FILES['train']}" if is_folder else f"no folder {self.path}"
            )
            raise InputError(f"{what}; make it with `prepdata build --out {self.path}`")

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """SHA-256 of each of the three files that is there, by name."""
        files = [self.file(split) for split in SPLITS]
        return {file.name: fingerprint(file) for file in files if file.is_file()}

    def _read(self, split: Split) -> Sequence[Example]:
        file = self.file(split)
        return open_examples(file) if file.is_file() else []


def open_to_train(path: Path, limit: int | None = None) -> DataFolder:
    """Return a data folder that has something to train on.

    Args:
        path: The folder.
        limit: Keep the first so many training records only.

    Raises:
        InputError: There is no such folder, or no training record in it.
    """
    folder = DataFolder(path, limit)
    if not folder.train:
        raise InputError(f"{folder.file('train')} is empty; there is nothing to train on")
    return folder


def prompts_for(data: Path) -> Path:
    """Return what to ask a model that was trained on a data folder.

    That is the folder's test records, or the prompts of this package where it has none.
    """
    test = data / FILES["test"]
    return test if test.is_file() and test.stat().st_size else TEST_PROMPTS
