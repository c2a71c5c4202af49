"""Opening a source: rows from the Hub, or from a local file or folder, with their place and split.

Local files are read line by line so that an error can name file and line.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.files import read_json, read_jsonl
from prepdata.records import Split

SUFFIXES = (".csv", ".json", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Row:
    """One upstream row."""

    values: Mapping[str, Any]
    """The upstream fields."""
    where: str
    """``file:line`` (or ``file row N``), for messages."""
    split: Split | None
    """The official split, read off the file's name or the Hub's split; None where there is none."""

    def text(self, name: str) -> str:
        """Return a text field, stripped; a missing or null one is empty."""
        value = self.values.get(name)
        return "" if value is None else str(value).strip()

    def require(self, *names: str) -> None:
        """Raise InputError when the row lacks one of the upstream fields."""
        for name in names:
            if name not in self.values:
                found = ", ".join(map(str, self.values))
                raise InputError(f"{self.where}: missing field {name!r}; it has {found}")


def split_of(name: str) -> Split | None:
    """Return the split a file's name speaks of: a whole word train, val/valid/dev or test."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    if words & {"train", "training"}:
        return "train"
    if words & {"val", "valid", "validation", "dev"}:
        return "validation"
    return "test" if words & {"test", "testing"} else None


def local_files(path: Path) -> list[Path]:
    """Return the data files that a path stands for, in order of name.

    Of a folder's files those are read whose names speak of a split; all, where none does.

    Raises:
        InputError: There is no such path, or nothing readable in it.
    """
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise InputError(f"{path}: cannot read {path.suffix!r}; readable: {', '.join(SUFFIXES)}")
        return [path]
    if not path.is_dir():
        raise InputError(f"no such file or folder: {path}")
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not files:
        raise InputError(f"{path} holds no {', '.join(SUFFIXES)} file")
    return [file for file in files if split_of(file.stem)] or files


def read_local(path: Path) -> Iterator[Row]:
    """Yield the rows of one local file."""
    split = split_of(path.stem)
    if path.suffix == ".jsonl":
        for number, values in read_jsonl(path):
            yield Row(values, f"{path}:{number}", split)
    elif path.suffix == ".json":
        yield from _json_rows(path, split)
    elif path.suffix == ".csv":
        yield from _csv_rows(path, split)
    else:
        yield from _parquet_rows(path, split)


def read_hub(hub_id: str, name: str) -> Iterator[Row]:
    """Yield the rows of a Hub dataset, split by split.

    Raises:
        InputError: The Hub cannot be reached or does not hold it; the message says what to type.
    """
    import datasets

    try:
        splits = datasets.load_dataset(hub_id)
    except Exception as error:  # the Hub's client raises many kinds, none of them the user's fault
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"cannot load {hub_id!r} from the Hub ({reason}). "
            f"Give a local copy instead: --source {name}=PATH"
        ) from error
    for split, rows in splits.items():
        for number, values in enumerate(rows, 1):
            yield Row(values, f"{hub_id}/{split} row {number}", split_of(split))


def _json_rows(path: Path, split: Split | None) -> Iterator[Row]:
    rows = read_json(path)
    if isinstance(rows, dict):  # {"data": [...]} is as common as a plain list
        rows = next((value for value in rows.values() if isinstance(value, list)), [rows])
    for number, values in enumerate(rows, 1):
        where = f"{path} item {number}"
        if not isinstance(values, dict):
            raise InputError(f"{where}: an object is needed, found {json.dumps(values)[:60]}")
        yield Row(values, where, split)


def _csv_rows(path: Path, split: Split | None) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        try:
            for values in reader:
                where = f"{path}:{reader.line_num}"
                if None in values or None in values.values():
                    count = sum(value is not None for key, value in values.items() if key)
                    count += len(values.get(None) or ())  # type: ignore[call-overload]
                    columns = len(reader.fieldnames or ())
                    raise InputError(f"{where}: {count} cells in a table of {columns} columns")
                yield Row(values, where, split)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}:{reader.line_num + 1}: not readable CSV: {error}") from error


def _parquet_rows(path: Path, split: Split | None) -> Iterator[Row]:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
    except OSError as error:
        raise InputError(f"{path}: not a Parquet file: {error}") from error
    number = 0
    for batch in table.iter_batches(batch_size=1000):
        for values in batch.to_pylist():
            number += 1
            yield Row(values, f"{path} row {number}", split)
