"""Records in a temporary file, so that memory holds only a few numbers of each."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import IO, Any

from tuneproof.formats.data_folder import Split
from tuneproof.formats.example import Example
from tuneproof.prepdata.near.comparing import Texts

AS_JSON = json.JSONEncoder(ensure_ascii=False).encode
READ = 2048
"""Bytes read first; most records are shorter, and of a longer one as much again is read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What memory holds of a record: where its text lies, and what its split and position go by."""

    offset: int
    source: str
    split: Split | None
    group: float
    """The hash of the group's name, in [0, 1); it decides the split where a source has none."""
    label: str
    """The answer of a classification task; else empty."""
    order: float
    """Decides its position in the output file and whether --limit draws it; in [0, 1)."""


class Spool:
    """Records in a temporary file, as the lines they will be written as, to be read by offset."""

    def __init__(self, handle: IO[bytes]) -> None:
        """Write to an empty binary file opened for reading and writing."""
        self._handle = handle
        self._end = 0
        self._is_flushed = True

    def add(self, record: Example) -> int:
        """Append a record and return its offset."""
        offset = self._end
        line = AS_JSON(record.as_row()).encode() + b"\n"
        self._handle.write(line)
        self._is_flushed = False
        self._end += len(line)
        return offset

    def line(self, offset: int) -> bytes:
        """Return the record at an offset as its line."""
        if not self._is_flushed:
            self._handle.flush()
            self._is_flushed = True
        line = b""
        while not (end := line.find(b"\n") + 1):
            line += os.pread(self._handle.fileno(), max(READ, len(line)), offset + len(line))
        return line[:end]

    def texts(self, offset: int) -> Texts:
        """Return what of the record at an offset is compared with others."""
        row = self.row(offset)
        return Texts(row["instruction"], row["input"], row["output"])

    def row(self, offset: int) -> dict[str, Any]:
        """Return the record at an offset as the JSON object of its line."""
        row: dict[str, Any] = json.loads(self.line(offset).decode())
        return row
