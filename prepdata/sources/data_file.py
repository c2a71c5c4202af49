"""A file of rows: where it is, what its name speaks of, and what all its readers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import Split
from tuneproof.prepdata.sources.rows import ReadLog, Row

COMPRESSED = (".gz", ".zst")


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file to be read."""

    path: Path
    """Where it is."""
    name: str
    """Its path below the folder that was given; of a file that was given, its name."""
    split: Split | None
    """The split that its name or its folder's speaks of."""
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the classes by column, where a file beside it has them."""

    @property
    def suffix(self) -> str:
        """The suffix that tells the form, without that of a compression."""
        return suffix_of(self.path)


def suffix_of(path: Path) -> str:
    """Return a file's suffix in small letters, without that of a compression."""
    bare = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return bare.suffix.lower()


def counted(rows: Iterable[Row], label: str, log: ReadLog) -> Iterator[Row]:
    """Yield rows, and count them in the log."""
    log.rows[label] += 0
    for row in rows:
        log.rows[label] += 1
        yield row


def column_names(cells: Sequence[Any], where: str) -> list[str]:
    """Return the names of a table's columns; InputError where two are the same."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    for name, count in Counter(filter(None, names)).items():
        if count > 1:
            raise InputError(
                f"{where}: {count} columns are called {name!r}; rename or remove all but one"
            )
    return [name or f"column {number}" for number, name in enumerate(names, 1)]
