"""Records in a temporary file, so that memory holds only a few numbers of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import IO

from prepdata.duplicates import Texts
from prepdata.records import Record, Split


@dataclass(frozen=True, slots=True)
class Entry:
    """What memory holds of a record: where its text lies, and what decides its fate."""

    offset: int
    source: str
    split: Split | None
    group: float
    """The hash of the group's name, in [0, 1); it decides the split where a source has none."""
    label: str
    """The answer of a classification task; else empty."""
    place: float
    """Where in the output file it stands, and whether --limit draws it; in [0, 1)."""


class Spool:
    """Records in a temporary file, to be read again by offset."""

    def __init__(self, handle: IO[bytes]) -> None:
        """Write to an empty binary file opened for reading and writing."""
        self._handle = handle
        self._end = 0
        self._is_at_end = True

    def add(self, record: Record) -> int:
        """Append a record and return its offset."""
        offset = self._end
        line = json.dumps(record.as_row()).encode() + b"\n"
        if not self._is_at_end:  # a seek empties the buffer
            self._handle.seek(offset)
            self._is_at_end = True
        self._handle.write(line)
        self._end += len(line)
        return offset

    def read(self, offset: int) -> Record:
        """Return the record at an offset."""
        return Record(**self._row(offset))

    def texts(self, offset: int) -> Texts:
        """Return the instruction and input of the record at an offset."""
        row = self._row(offset)
        return row["instruction"], row["input"]

    def _row(self, offset: int) -> dict[str, str]:
        self._handle.seek(offset)
        self._is_at_end = False
        row: dict[str, str] = json.loads(self._handle.readline().decode())
        return row
