"""The tables of a JSON document: lists of objects, columns, or objects by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.rows import ReadLog, split_of

DATA_KEYS = ("data", "rows", "examples", "records", "items", "instances", "dataset")
"""What a document calls its one list of rows."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A list of rows in a document."""

    key: str | None
    """What the document calls it; None where it is the document itself."""
    rows: Sequence[Any]
    """Its rows; each should be an object."""


def tables_of(
    value: Any, where: str, name: str, log: ReadLog, *, is_row: bool = False
) -> list[Table]:
    """Return the tables that a JSON document holds.

    Of several lists of objects those are read whose names speak of a split, or the one that is
    called ``data`` or the like.

    Args:
        value: The document.
        where: What errors begin with.
        name: What remarks begin with.
        log: Gets a remark on what is beside a list and not read.
        is_row: Whether an object with a list of another name is one row.

    Raises:
        InputError: It holds no rows, or several lists of which none is plainly the data.
    """
    if isinstance(value, list):
        return [Table(key=None, rows=_flattened(value))]
    if not isinstance(value, dict):
        raise InputError(f"{where}: a list of objects is needed, found {json.dumps(value)[:60]}")
    lists = {key: part for key, part in value.items() if _is_table(part)}
    chosen = [key for key in lists if split_of(key)]
    if not chosen:
        chosen = [key for key in DATA_KEYS if key in lists][:1]
    if not chosen and not is_row:
        if len(lists) > 1:
            listed = ", ".join(lists)
            raise InputError(
                f"{where}: several lists of objects ({listed}), of which none is called train, "
                "test or data; keep the one that is meant"
            )
        chosen = list(lists)
    if not chosen:
        nested = [key for key, part in value.items() if _holds_tables(part)]
        if len(nested) == 1:
            return tables_of(value[nested[0]], where, name, log)
        return [Table(key=None, rows=_rows_of_columns(value) or [value])]
    if unread := [key for key in value if key not in chosen]:
        log.remark(f"not read: {', '.join(map(repr, unread))} of {name}")
    return [Table(key=key, rows=_flattened(lists[key])) for key in chosen]


def _is_table(value: Any) -> bool:
    """Return whether a value is a list of objects that are no turns of a conversation."""
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        return False
    return not any(value[0].keys() >= turn for turn in ({"role", "content"}, {"from", "value"}))


def _holds_tables(value: Any) -> bool:
    return isinstance(value, dict) and any(
        _is_table(part) and (split_of(key) or key in DATA_KEYS) for key, part in value.items()
    )


def _rows_of_columns(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a document of columns, or of objects by name; empty where it is neither.

    pandas writes columns as objects of row numbers, or as ``columns`` and ``data``.
    """
    parts = list(value.values())
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list) and _are(list, data):
        return [dict(zip(columns, cells, strict=False)) for cells in data]
    is_even = _are(list, parts) and len(set(map(len, parts))) == 1 and bool(parts[0])
    if len(parts) > 1 and is_even and not any(type(c) in (dict, list) for p in parts for c in p):
        return [dict(zip(value, cells, strict=True)) for cells in zip(*parts, strict=True)]
    if parts and _are(dict, parts) and parts[0]:
        if all(key.isdecimal() for part in parts for key in part):
            return [{name: part.get(key) for name, part in value.items()} for key in parts[0]]
        if len(parts) > 1:
            return [{"id": key, **part} for key, part in value.items()]
    return []


def _are(kind: type, values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, kind) for value in values)


def _flattened(rows: Sequence[Any]) -> Sequence[Any]:
    """Return rows as they are, or the questions of SQuAD's articles with their paragraphs."""
    if not (_are(dict, rows) and all(isinstance(row.get("paragraphs"), list) for row in rows)):
        return rows
    return [
        {"title": article.get("title"), "context": paragraph.get("context"), **question}
        for article in rows
        for paragraph in article["paragraphs"]
        for question in paragraph.get("qas") or ()
    ]
