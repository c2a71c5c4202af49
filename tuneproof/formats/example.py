"""The record: one line of every JSONL that the stages pass on."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tuneproof.errors import InputError
from tuneproof.files import read_jsonl

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
WORDS = re.compile(r"\w+")
FILES: dict[Split, str] = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One example: what is asked, about what, and the right answer."""

    id: str
    """Unique within its source, and the same whatever the file's order."""
    task: str
    """The source's name."""
    instruction: str
    """What is asked."""
    input: str
    """The context it is asked about; empty where there is none."""
    output: str
    """The right answer; for classification the label's text."""
    group: str
    """What must not be split across train, validation and test: a page, a dialogue, a passage."""
    executed: str = ""
    """What the source's own program comes to, a number, yes or no; empty where it has none."""

    def as_row(self) -> dict[str, str]:
        """Return the record as the JSON object of its line; `executed` only where it has one."""
        row = {name: getattr(self, name) for name in self.__slots__}
        if not self.executed:
            del row["executed"]
        return row


def content_id(task: str, *texts: str) -> str:
    """Return an id made from the content, for sources whose rows have none."""
    return f"{task}-{digest(*texts)[:12]}"


def digest(*texts: str) -> str:
    """Return the SHA-256 of the texts, as 64 hex digits; the borders between them count."""
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def normalised(text: str) -> str:
    """Return the text as duplicates are compared: NFKC, case folded, words only."""
    return " ".join(WORDS.findall(unicodedata.normalize("NFKC", text).casefold()))


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a JSONL file that `prepdata build` or somebody else wrote.

    Only `instruction` and `output` are needed; the other fields have honest defaults.

    Raises:
        InputError: A line is not JSON, lacks a field, or holds something else than text.
    """
    for number, row in read_jsonl(path):
        yield record_from_row(row, f"{path}:{number}", default_id=f"{path.stem}-{number}")


def record_from_row(row: Mapping[str, Any], where: str, *, default_id: str) -> Record:
    """Return the record a JSON object holds; errors begin with `where`."""
    for name in ("instruction", "output"):
        if name not in row:
            raise InputError(f"{where}: missing field {name!r}; it has {', '.join(row) or 'none'}")
    values: dict[str, str] = {}
    for name in Record.__slots__:
        value = row.get(name, "")
        if value is None and name not in ("instruction", "output"):
            value = ""
        if not isinstance(value, str):
            raise InputError(f"{where}: field {name!r} must be text, found {value!r}")
        values[name] = value
    values["id"] = values["id"] or default_id
    values["task"] = values["task"] or "jsonl"
    values["group"] = values["group"] or values["id"]
    return Record(**values)
