"""Records in a temporary file, so that memory holds only a few numbers of each."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.formats.data_folder import SPLITS, Split
from tuneproof.formats.example import Example
from tuneproof.prepdata.near.comparing import Texts

Numbers = NDArray[np.int64]
AS_JSON = json.JSONEncoder(ensure_ascii=False).encode
READ = 2048
"""Bytes read first; most records are shorter, and of a longer one as much again is read."""
ROW = np.dtype(
    [("offset", "<u8"), ("group", "<f8"), ("order", "<f8"), ("label", "<u4"), ("source", "<u2"),
     ("split", "u1")]
)  # fmt: skip
PACKED = struct.Struct("<QddIHB")
"""The same as one row is written."""
CHUNK = 1 << 16
"""Entries that are gone through at once."""
CODES: tuple[Split | None, ...] = (None, *SPLITS)
"""The splits by the number that stands for each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a record without its text: where that lies, its split and its position."""

    offset: int
    source: str
    split: Split | None
    group: float
    """The hash of the group's name, in [0, 1); it decides the split where a source has none."""
    label: str
    """The answer of a classification task; else empty."""
    order: float
    """Decides its position in the output file and whether --limit draws it; in [0, 1)."""


class Entries:
    """Entries by number: 0, 1, ... as they were added, in a temporary file."""

    def __init__(self, handle: IO[bytes]) -> None:
        """Write to an empty binary file opened for reading and writing."""
        self._handle = handle
        self._count = 0
        self._sources, self._labels = _Names(), _Names()
        self._rows: NDArray[Any] | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __getitem__(self, number: int) -> Entry:
        """Return an entry."""
        offset, group, order, label, source, split = self.rows[number].item()
        return Entry(
            offset=offset,
            source=self._sources.names[source],
            split=CODES[split],
            group=group,
            label=self._labels.names[label],
            order=order,
        )

    def add(self, entry: Entry) -> int:
        """Add an entry; return its number."""
        label, source = self._labels.number(entry.label), self._sources.number(entry.source)
        split = CODES.index(entry.split)
        self._handle.write(
            PACKED.pack(entry.offset, entry.group, entry.order, label, source, split)
        )
        self._rows = None
        self._count += 1
        return self._count - 1

    def cut(self, count: int) -> None:
        """Keep the first so many."""
        self._rows = None
        self._handle.flush()
        self._handle.truncate(count * ROW.itemsize)
        self._handle.seek(0, os.SEEK_END)
        self._count = count

    @property
    def rows(self) -> NDArray[Any]:
        """All entries as numbers, of `ROW`; what is written there is kept."""
        if self._rows is None:
            self._handle.flush()
            shape = (self._count,)
            self._rows = (
                np.memmap(self._handle, ROW, "r+", shape=shape).view(np.ndarray)
                if self._count
                else np.zeros(0, ROW)
            )
        return self._rows

    def of_split(self, split: Split) -> Numbers:
        """Return the numbers of a split's entries."""
        return np.flatnonzero(self.rows["split"] == CODES.index(split))

    def in_order(self, numbers: Numbers) -> Numbers:
        """Return numbers of entries by the entries' order."""
        return numbers[np.argsort(self.rows["order"][numbers], kind="stable")]

    def source(self, number: int) -> str:
        """Return an entry's source."""
        name: str = self._sources.names[self.rows["source"][number]]
        return name

    def split(self, number: int) -> Split | None:
        """Return an entry's split."""
        split: Split | None = CODES[self.rows["split"][number]]
        return split

    def offsets(self, numbers: Numbers, split: Split) -> Iterator[int]:
        """Yield where those of some entries lie that are of a split."""
        offsets, splits = self.rows["offset"], self.rows["split"]
        return map(int, offsets[numbers[splits[numbers] == CODES.index(split)]])

    def splits(self, first: int) -> set[Split | None]:
        """Return the splits of the entries from one on."""
        return {CODES[code] for code in np.unique(self.rows["split"][first:])}

    def labels(self, first: int) -> set[str]:
        """Return the labels of the entries from one on."""
        return {self._labels.names[number] for number in np.unique(self.rows["label"][first:])}

    def groups(self, first: int) -> int:
        """Return how many groups the entries from one on are of."""
        return len(np.unique(self.rows["group"][first:]))

    def assign(self, first: int, split_of: Callable[[float, Split | None], Split]) -> None:
        """Give each of the entries from one on the split that a function returns.

        Args:
            first: The entry.
            split_of: Gets the hash of an entry's group, and its official split.
        """
        groups, splits = self.rows["group"], self.rows["split"]
        for start in range(first, len(self), CHUNK):
            part = slice(start, start + CHUNK)
            pairs = zip(groups[part].tolist(), splits[part].tolist(), strict=True)
            splits[part] = [CODES.index(split_of(group, CODES[code])) for group, code in pairs]

    def facts(self, numbers: Iterable[int]) -> Iterator[tuple[str, Split | None, str]]:
        """Yield source, split and label of entries."""
        sources, splits, labels = (self.rows[name] for name in ("source", "split", "label"))
        for n in numbers:
            yield self._sources.names[sources[n]], CODES[splits[n]], self._labels.names[labels[n]]


class _Names:
    """Names, each with a number."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of a name, a new one where it has none yet."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


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
            line += self._read(max(READ, len(line)), offset + len(line))
        return line[:end]

    def _read(self, size: int, offset: int) -> bytes:
        """Return bytes of the file, or what is left of it from there."""
        if hasattr(os, "pread"):
            return os.pread(self._handle.fileno(), size, offset)
        self._handle.seek(offset)  # on Windows
        part = self._handle.read(size)
        self._handle.seek(0, os.SEEK_END)
        return part

    def texts(self, offset: int) -> Texts:
        """Return what of the record at an offset is compared with others."""
        row = self.row(offset)
        return Texts(row["instruction"], row["input"], row["output"])

    def row(self, offset: int) -> dict[str, Any]:
        """Return the record at an offset as the JSON object of its line."""
        row: dict[str, Any] = json.loads(self.line(offset).decode())
        return row
