"""Numbers of every record in temporary files, which are memory while there is room for them.

The system writes such memory to the file where something else needs the room, so that a source may
be larger than memory. It helps where the folder for temporary files (`TMPDIR`) is on a disk.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

FIRST_ROOM = 1 << 16
"""Keys that a table has room for at first, times two."""


def on_disk(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros in a file without a name.

    Raises:
        OSError: The disk has no room for it.
    """
    if not np.prod(shape):
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as handle:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if hasattr(os, "posix_fallocate"):  # else a full disk would end the process without a word
            os.posix_fallocate(handle.fileno(), 0, size)
        else:
            handle.truncate(size)
        return np.memmap(handle, dtype, "r+", shape=shape).view(np.ndarray)


class Parts:
    """An array in a file, written part by part."""

    def __init__(self, dtype: DTypeLike, *row: int) -> None:
        """Begin without any.

        Args:
            dtype: Of the numbers.
            row: The shape of a row; nothing where a row is one number.
        """
        self._dtype, self._row = np.dtype(dtype), row
        self._handle = tempfile.TemporaryFile()  # noqa: SIM115 - until `whole`
        self.count = 0
        """Rows so far."""

    def append(self, part: NDArray[Any]) -> None:
        """Add rows at the end."""
        self._handle.write(np.ascontiguousarray(part, self._dtype).tobytes())
        self.count += len(part)

    def whole(self) -> NDArray[Any]:
        """Return all as one array; nothing can be added after that."""
        shape = (self.count, *self._row)
        with self._handle:
            if not np.prod(shape):
                return np.zeros(shape, self._dtype)
            self._handle.flush()
            return np.memmap(self._handle, self._dtype, "r+", shape=shape).view(np.ndarray)


class Table:
    """A number for each of many 64-bit keys, such as hashes; a dict takes five times the room."""

    def __init__(self) -> None:
        """Begin without any."""
        self._count = 0
        self._make(2 * FIRST_ROOM)

    def __len__(self) -> int:
        """Return how many keys there are."""
        return self._count

    def setdefault(self, key: int, value: int) -> int:
        """Return the number of a key; one that is new gets this."""
        key = key or 1  # 0 stands for no key
        keys, mask = self._keys, self._mask
        slot = key & mask
        while (known := keys[slot]) != key:
            if not known:
                keys[slot], self._values[slot] = key, value
                self._count += 1
                if 2 * self._count > mask:
                    self._grow()
                return value
            slot = (slot + 1) & mask
        held: int = self._values[slot]
        return held

    def _make(self, size: int) -> None:
        both = on_disk((2, size), np.int64)
        self._keys, self._values = both[0].data, both[1].data
        self._mask = size - 1

    def _grow(self) -> None:
        """Double the room."""
        pairs = zip(self._keys, self._values, strict=True)
        self._count = 0
        self._make(2 * (self._mask + 1))
        for key, value in pairs:
            if key:
                self.setdefault(key, value)
