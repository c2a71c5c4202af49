"""Opening a source: rows from the Hub, or from a local file or folder, with their place and split.

Local files are read line by line so that an error can name file and line.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import read_json, read_jsonl
from tuneproof.formats.data_folder import Split
from tuneproof.hub import hub_or_cache

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
        if isinstance(value, str):
            return _whole(value).strip()
        if isinstance(value, Mapping | list):
            raise InputError(f"{self.where}: {name!r} must be text, found {str(value)[:60]}")
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value).strip()

    def named(self, name: str) -> str:
        """Return a field by its name in any case, in lower case itself; InputError if missing."""
        for key in self.values:
            if str(key).casefold() == name:
                return self.text(key).casefold()
        self.require(name)
        return ""

    def require(self, *names: str) -> None:
        """Raise InputError when the row lacks one of the upstream fields."""
        for name in names:
            if name not in self.values:
                found = ", ".join(map(str, self.values))
                raise InputError(f"{self.where}: missing field {name!r}; it has {found}")


def matching(rows: Iterator[Row], where: Sequence[str], left_out: Counter[str]) -> Iterator[Row]:
    """Yield the rows that match all conditions, and count the others.

    Args:
        rows: Of one source.
        where: ``FIELD=VALUE``, whatever the case of both; ``*`` in a value stands for any text.
            Conditions on the same field are alternatives.
        left_out: Gets the number of rows that do not match.

    Raises:
        InputError: A row has no such field; the message lists those it has.
    """
    wanted: dict[str, list[str]] = {}
    for text in where:
        name, _, value = text.partition("=")
        wanted.setdefault(name.strip().casefold(), []).append(value.strip().casefold())
    for row in rows:
        if all(
            any(fnmatchcase(row.named(name), value) for value in values)
            for name, values in wanted.items()
        ):
            yield row
        else:
            left_out["not what --where asks for"] += 1


def _whole(text: str) -> str:
    """Return the text with halves of surrogate pairs replaced: JSON can hold them, UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


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
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(
                f"{path}: cannot read {path.suffix!r}; readable: {', '.join(SUFFIXES)}"
            )
        return [path]
    if not path.is_dir():
        raise InputError(f"no such file or folder: {path}")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{path} holds no {', '.join(SUFFIXES)} file")
    return [file for file in files if split_of(file.stem)] or files


def read_local(path: Path) -> Iterator[Row]:
    """Yield the rows of one local file."""
    split, suffix = split_of(path.stem), path.suffix.lower()
    if suffix == ".jsonl":
        for number, values in read_jsonl(path):
            yield Row(values, f"{path}:{number}", split)
    elif suffix == ".json":
        yield from _json_rows(path, split)
    elif suffix == ".csv":
        yield from _csv_rows(path, split)
    else:
        yield from _parquet_rows(path, split)


def read_hub(hub_id: str, name: str) -> Iterator[Row]:
    """Yield the rows of a Hub dataset, split by split; from the cache where the Hub is silent.

    Raises:
        InputError: The Hub cannot be reached or does not hold it; the message says what to type.
    """
    import datasets

    with hub_or_cache() as answers:
        try:
            splits = datasets.load_dataset(hub_id)
        except Exception as error:  # the client raises many kinds, none of them the user's fault
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            reason = (
                reason if answers else "the Hub does not answer, and the cache does not hold it"
            )
            raise InputError(
                f"cannot load {hub_id!r}: {reason}. Give a local copy instead: --source {name}=PATH"
            ) from error
    for split, rows in splits.items():
        for number, values in enumerate(rows, 1):
            yield Row(values, f"{hub_id}/{split} row {number}", split_of(split))


def _json_rows(path: Path, split: Split | None) -> Iterator[Row]:
    if _is_jsonl(path):
        for number, values in read_jsonl(path):
            yield Row(values, f"{path}:{number}", split)
        return
    rows = read_json(path)
    if isinstance(rows, dict):  # {"data": [...]} is as common as a plain list
        tables = (value for value in rows.values() if isinstance(value, list))
        rows = next((table for table in tables if table and isinstance(table[0], dict)), [rows])
    if not isinstance(rows, list):
        raise InputError(f"{path}: a list of objects is needed, found {json.dumps(rows)[:60]}")
    for number, values in enumerate(rows, 1):
        where = f"{path} item {number}"
        if not isinstance(values, dict):
            raise InputError(f"{where}: an object is needed, found {json.dumps(values)[:60]}")
        yield Row(values, where, split)


def _is_jsonl(path: Path) -> bool:
    """Return whether a .json file holds an object on each of its first two lines."""
    with path.open(encoding="utf-8-sig", errors="replace") as handle:
        first, second = handle.readline(), handle.readline()
    try:
        return isinstance(json.loads(first), dict) and second.lstrip().startswith("{")
    except ValueError:
        return False


def _csv_rows(path: Path, split: Split | None) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, strict=True)  # else an open quote swallows what follows
        try:
            for values in reader:
                where = f"{path}:{reader.line_num}"
                if None in values or None in values.values():
                    count = sum(value is not None for key, value in values.items() if key)
                    count += len(values.get(None) or ())
                    columns = len(reader.fieldnames or ())
                    raise InputError(f"{where}: {count} cells in a table of {columns} columns")
                yield Row(values, where, split)
        except csv.Error as error:
            line = reader.reader.line_num
            raise InputError(f"{path}:{line}: not readable CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text: {error.reason}; save it as UTF-8") from error


def _parquet_rows(path: Path, split: Split | None) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: not a Parquet file: {error}") from error
    number = 0
    for batch in table.iter_batches(batch_size=1000):
        for values in batch.to_pylist():
            number += 1
            yield Row(values, f"{path} row {number}", split)
