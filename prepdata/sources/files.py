"""Reading one local file: what it holds decides how it is read, not what it is called."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from tuneproof.errors import InputError
from tuneproof.files import parse_json, parse_jsonl
from tuneproof.formats.data_folder import Split
from tuneproof.prepdata.sources.data_file import DataFile, counted
from tuneproof.prepdata.sources.delimited import delimited_rows
from tuneproof.prepdata.sources.documents import tables_of
from tuneproof.prepdata.sources.rows import ReadLog, Row, split_of
from tuneproof.prepdata.sources.tables import arrow_rows, parquet_rows, sheet_rows

SUFFIXES = (".csv", ".json", ".jsonl", ".parquet", ".tsv", ".ndjson", ".arrow", ".xlsx", ".txt")
MOST_FOREIGN = 0.2
"""Bytes beyond ASCII that a Western text may have, as a share; with more it is no Windows-1252."""
JSON_SPACE = " \t\r\n"


def read_file(file: DataFile, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of one file, and log how many there are and what was assumed.

    Raises:
        InputError: It is of no readable form, or broken; the message names file and line.
    """
    with _binary(file.path) as handle:
        head = handle.read(8)
    if head.startswith(b"PAR1"):
        yield from counted(parquet_rows(file), file.name, log)
    elif file.suffix == ".parquet":
        raise InputError(f"{file.path}: not a Parquet file")
    elif head.startswith(b"ARROW1") or file.suffix == ".arrow":
        yield from counted(arrow_rows(file, is_stream=head[:6] != b"ARROW1"), file.name, log)
    elif head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")) or file.suffix == ".xlsx":
        yield from sheet_rows(file, log)
    else:
        yield from _text_rows(file, log)


def _binary(path: Path) -> IO[bytes]:
    """Open a file, decompressed where its first bytes are those of gzip or Zstandard."""
    with path.open("rb") as handle:
        magic = handle.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if magic == b"\x28\xb5\x2f\xfd":
        import pyarrow

        stream: IO[bytes] = pyarrow.input_stream(str(path), compression="zstd")
        return stream
    return path.open("rb")


def _encoding(path: Path, log: ReadLog, name: str) -> str:
    """Return the encoding of a text file: UTF-8, UTF-16, or Windows-1252 where it is neither."""
    with _binary(path) as handle:
        head = handle.read(1 << 12)
    encoding = _utf(head)
    if encoding is None:
        raise InputError(f"{path}: neither text nor a table that can be read")
    fault = _fault(path, encoding)
    if fault is None:
        if encoding in ("utf-16-le", "utf-16-be"):
            log.remark(f"{name}: read as UTF-16 (it has no byte order mark)")
        return encoding
    line, reason = fault
    if encoding != "utf-8-sig":
        raise InputError(f"{path}:{line}: not UTF-16 text: {reason}; save it as UTF-8")
    with _binary(path) as handle:
        content = handle.read()
    foreign = sum(
        content.translate(None, bytes(range(128))).count(byte) for byte in range(128, 256)
    )
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        foreign = len(content)
    if _is_spoilt_utf8(content):
        foreign = len(content)
    if foreign > MOST_FOREIGN * len(content):
        raise InputError(f"{path}:{line}: not UTF-8 text: {reason}; save it as UTF-8")
    log.remark(f"{name}: not UTF-8, read as Windows-1252")
    return "cp1252"


def _is_spoilt_utf8(content: bytes) -> bool:
    """Return whether most bytes beyond ASCII make characters of UTF-8, but not all of them do."""
    text = content.decode("utf-8", errors="replace")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return beyond_ascii > 2 * text.count("\ufffd")


def _utf(head: bytes) -> str | None:
    """Return which UTF a text that begins so may have; None where it is no text."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" not in head:
        return "utf-8-sig"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) <= len(head) / 4:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _fault(path: Path, encoding: str) -> tuple[int, str] | None:
    """Return the line where a text is not of an encoding, and why; None where all of it is."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with _binary(path) as handle:
        try:
            for chunk in iter(lambda: handle.read(1 << 20), b""):
                line += decoder.decode(chunk).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(error.encoding, "replace")
            return line + before.count("\n"), error.reason
    return None


def _text_rows(file: DataFile, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of JSON, JSON lines or delimited text."""
    encoding = _encoding(file.path, log, file.name)

    def opened() -> IO[str]:
        return io.TextIOWrapper(_binary(file.path), encoding=encoding, newline="")

    is_json = file.suffix in (".json", ".jsonl", ".ndjson")
    with opened() as handle:
        filled = (line for line in handle if line.strip(JSON_SPACE))
        first, second = next(filled, ""), next(filled, "")
    value = _parsed(file, first)
    if isinstance(value, dict) and second:
        with opened() as handle:
            rows = parse_jsonl(handle, str(file.path))
            placed = (Row(v, f"{file.path}:{n}", file.split, file.class_names) for n, v in rows)
            yield from counted(placed, file.name, log)
        return
    if is_json or first.lstrip(JSON_SPACE)[:1] in ("{", "["):
        with opened() as handle:
            text = handle.read()
        value = _parsed(file, text)
        if value is None and is_json and text.strip():
            raise _json_fault(file, text)
        if value is not None:
            yield from _document_rows(file, value, log)
            return
    yield from counted(delimited_rows(file, opened, log), file.name, log)


def _parsed(file: DataFile, text: str) -> Any:
    """Return the JSON value of a text, or None where it is none."""
    try:
        return parse_json(text)
    except json.JSONDecodeError:
        return None
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error


def _json_fault(file: DataFile, text: str) -> InputError:
    """Return the error of a broken JSON file: by line where it is a file of lines."""
    begins = [line.lstrip()[:1] for line in text.split("\n", 40) if line.strip()]
    try:
        if file.suffix != ".json" or begins[1:2] in (["{"], ["["]):
            for _ in parse_jsonl(io.StringIO(text), str(file.path)):
                pass
        json.loads(text)
    except json.JSONDecodeError as error:
        return InputError(f"{file.path}:{error.lineno}: not valid JSON: {error.msg}")
    except InputError as error:
        return error
    return InputError(f"{file.path}: a list of objects is needed, found null")


def _document_rows(file: DataFile, value: Any, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of one JSON document."""
    is_lines = file.suffix in (".jsonl", ".ndjson")
    if is_lines and isinstance(value, list):
        log.remark(f"{file.name}: one JSON array, not one object a line")
    for table in tables_of(value, str(file.path), file.name, log, is_row=is_lines):
        name = f"{file.path} item" if table.key is None else f"{file.path} {table.key!r} item"
        split = split_of(table.key or "") or file.split

        def rows(
            values: Sequence[Any] = table.rows, name: str = name, split: Split | None = split
        ) -> Iterator[Row]:
            for number, row in enumerate(values, 1):
                where = f"{file.path}:1" if row is value else f"{name} {number}"
                if not isinstance(row, dict):
                    shown = json.dumps(row)[:60]
                    raise InputError(f"{where}: an object is needed, found {shown}")
                yield Row(row, where, split, file.class_names)

        label = file.name if table.key is None else f"{file.name} {table.key!r}"
        yield from counted(rows(), label, log)
