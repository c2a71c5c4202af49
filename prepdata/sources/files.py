"""Reading one local file: what it holds decides how it is read, not what it is called."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, cast

from tuneproof.errors import InputError
from tuneproof.files import parse_jsonl
from tuneproof.formats.data_folder import Split
from tuneproof.prepdata.sources.documents import tables_of
from tuneproof.prepdata.sources.rows import ReadLog, Row, split_of

SUFFIXES = (".csv", ".json", ".jsonl", ".parquet", ".tsv", ".ndjson", ".arrow", ".xlsx", ".txt")
COMPRESSED = (".gz", ".zst")
DELIMITERS = ",;\t|"
SAMPLED = 1 << 16
"""Characters of a table that its delimiter is read off."""
SAMPLED_ROWS = 100
MOST_FOREIGN = 0.2
"""Bytes beyond ASCII that a Western text may have, as a share; with more it is no Windows-1252."""
JSON_SPACE = " \t\r\n"


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


def read_file(file: DataFile, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of one file, and log how many there are and what was assumed.

    Raises:
        InputError: It is of no readable form, or broken; the message names file and line.
    """
    with _binary(file.path) as handle:
        head = handle.read(8)
    if head.startswith(b"PAR1"):
        yield from _counted(_parquet_rows(file), file.name, log)
    elif file.suffix == ".parquet":
        raise InputError(f"{file.path}: not a Parquet file")
    elif head.startswith(b"ARROW1") or file.suffix == ".arrow":
        yield from _counted(_arrow_rows(file, is_stream=head[:6] != b"ARROW1"), file.name, log)
    elif head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")) or file.suffix == ".xlsx":
        yield from _sheets(file, log)
    else:
        yield from _text_rows(file, log)


def _counted(rows: Iterable[Row], label: str, log: ReadLog) -> Iterator[Row]:
    log.rows[label] += 0
    for row in rows:
        log.rows[label] += 1
        yield row


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
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if b"\0" in head:
            if (even := head[::2].count(0)) or head[1::2].count(0):
                is_little = head[1::2].count(0) > even
                if max(even, head[1::2].count(0)) > len(head) / 4:
                    log.remark(f"{name}: read as UTF-16 (it has no byte order mark)")
                    return "utf-16-le" if is_little else "utf-16-be"
            raise InputError(f"{path}: neither text nor a table that can be read")
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for chunk in chain([head], iter(lambda: handle.read(1 << 20), b"")):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            reason = error.reason
        else:
            return "utf-8-sig"
    with _binary(path) as handle:
        content = handle.read()
    foreign = sum(
        content.translate(None, bytes(range(128))).count(byte) for byte in range(128, 256)
    )
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        foreign = len(content)
    if foreign > MOST_FOREIGN * len(content):
        raise InputError(f"{path}: not UTF-8 text: {reason}; save it as UTF-8")
    log.remark(f"{name}: not UTF-8, read as Windows-1252")
    return "cp1252"


def _text_rows(file: DataFile, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of JSON, JSON lines or delimited text."""
    encoding = _encoding(file.path, log, file.name)

    def opened() -> IO[str]:
        return io.TextIOWrapper(_binary(file.path), encoding=encoding, newline="")

    is_json = file.suffix in (".json", ".jsonl", ".ndjson")
    with opened() as handle:
        filled = (line for line in handle if line.strip(JSON_SPACE))
        first, second = next(filled, ""), next(filled, "")
    value = _parsed(first)
    if isinstance(value, dict) and second:
        with opened() as handle:
            rows = parse_jsonl(handle, str(file.path))
            placed = (Row(v, f"{file.path}:{n}", file.split, file.class_names) for n, v in rows)
            yield from _counted(placed, file.name, log)
        return
    if is_json or first.lstrip(JSON_SPACE)[:1] in ("{", "["):
        with opened() as handle:
            text = handle.read()
        value = _parsed(text)
        if value is None and is_json and text.strip():
            raise _json_fault(file, text)
        if value is not None:
            yield from _document_rows(file, value, log)
            return
    yield from _counted(_delimited_rows(file, opened, log), file.name, log)


def _parsed(text: str) -> Any:
    """Return the JSON value of a text, or None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


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
        yield from _counted(rows(), label, log)


def _delimited_rows(file: DataFile, opened: Callable[[], IO[str]], log: ReadLog) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    with opened() as handle:
        delimiter, quoting, skipped = _dialect(handle.read(SAMPLED), file.suffix)
    usual = "\t" if file.suffix == ".tsv" else ","
    if skipped:
        log.remark(f"{file.name}: its first line, 'sep={delimiter}', is no row")
    elif delimiter != usual:
        shown = {"\t": "a tab"}.get(delimiter, repr(delimiter))
        log.remark(f"{file.name}: its columns are separated by {shown}")
    if quoting == csv.QUOTE_NONE:
        log.remark(f"{file.name}: its quotation marks are text; they enclose nothing")
    header: list[str] = []
    with opened() as handle:
        lines = islice(handle, skipped, None)
        reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
        try:
            for cells in reader:  # strict: else an open quote swallows what follows
                where = f"{file.path}:{reader.line_num + skipped}"
                if not header:
                    header = column_names(cells, where) if cells else []
                elif len(cells) == len(header):
                    values = dict(zip(header, cells, strict=True))
                    yield Row(values, where, file.split, file.class_names)
                elif cells:
                    count, columns = len(cells), len(header)
                    raise InputError(f"{where}: {count} cells in a table of {columns} columns")
        except csv.Error as error:
            line = reader.line_num + skipped
            raise InputError(f"{file.path}:{line}: not readable CSV: {error}") from error


def column_names(cells: Sequence[Any], where: str) -> list[str]:
    """Return the names of a table's columns; InputError where two are the same."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    for name, count in Counter(filter(None, names)).items():
        if count > 1:
            raise InputError(
                f"{where}: {count} columns are called {name!r}; rename or remove all but one"
            )
    return [name or f"column {number}" for number, name in enumerate(names, 1)]


def _dialect(sample: str, suffix: str) -> tuple[str, Any, int]:
    """Return the delimiter, how quotation marks are read, and how many first lines are no rows.

    The delimiter is the usual one where it makes a table of two columns or more, else the one that
    makes the widest such table, else the one that the header has most of.
    """
    first = sample.split("\n", 1)[0].strip("\r\ufeff \"'")
    if re.fullmatch(r"(?i)sep=(.|\t)", first):
        return first[4], csv.QUOTE_MINIMAL, 1
    usual = "\t" if suffix == ".tsv" else ","
    ordered = usual + DELIMITERS.replace(usual, "")
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        widths = {
            delimiter: _width(sample, delimiter, quoting)
            for delimiter in (ordered if quoting == csv.QUOTE_MINIMAL else "\t")
        }
        if widths.get(usual, 0) > 1:
            return usual, quoting, 0
        widest = max(widths, key=widths.__getitem__)
        if widths[widest] > 1:
            return widest, quoting, 0
    return max(ordered, key=first.count), csv.QUOTE_MINIMAL, 0


def _width(sample: str, delimiter: str, quoting: Any) -> int:
    """Return how many columns all the sample's rows have, or 0 where they differ."""
    is_cut = len(sample) == SAMPLED
    rows: list[list[str]] = []
    try:
        reader = csv.reader(
            io.StringIO(sample, newline=""), delimiter=delimiter, quoting=quoting, strict=True
        )
        rows += islice(filter(None, reader), SAMPLED_ROWS)
    except csv.Error:
        if not is_cut:
            return 0
    if is_cut and 1 < len(rows) < SAMPLED_ROWS:
        rows.pop()
    widths = set(map(len, rows))
    return widths.pop() if len(widths) == 1 else 0


def _sheets(file: DataFile, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of an Excel file: of the sheets that speak of a split, or that are alike."""
    try:
        import openpyxl
    except ImportError as error:
        raise InputError(
            f"{file.path}: reading Excel files needs openpyxl: pip install 'tuneproof[excel]', "
            "or save it as CSV"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of charts, styles and the like, which hold no rows
        try:
            book = openpyxl.load_workbook(file.path, read_only=True, data_only=True)
        except Exception as error:  # of many kinds: a zip file, XML, an older Excel's file
            raise InputError(
                f"{file.path}: not an Excel file of the .xlsx kind; save it as .xlsx or CSV"
            ) from error
        sheets = {}
        for sheet in book.worksheets:
            rows = enumerate(sheet.iter_rows(values_only=True), 1)
            filled = ((n, r) for n, r in rows if any(cell is not None for cell in r))
            if (first := next(filled, None)) is not None:
                sheets[sheet.title] = (column_names(*_trimmed(file, sheet.title, first)), filled)
        chosen = [title for title in sheets if split_of(title)]
        if not chosen and sheets:
            columns = next(iter(sheets.values()))[0]
            chosen = [title for title, (names, _) in sheets.items() if names == columns]
        for title in sheets.keys() - set(chosen):
            log.remark(f"not read: {file.name} sheet {title!r} (it has other columns)")
        for title in chosen:
            label = f"{file.name} sheet {title!r}"
            rows_of = _sheet_rows(file, title, *sheets[title])
            yield from _counted(rows_of, label if len(sheets) > 1 else file.name, log)


def _trimmed(file: DataFile, title: str, row: tuple[int, Sequence[Any]]) -> tuple[list[Any], str]:
    """Return the cells of a header up to the last filled one, and where it is."""
    cells = list(row[1])
    while cells and cells[-1] is None:
        cells.pop()
    return cells, f"{file.path} sheet {title!r} row {row[0]}"


def _sheet_rows(
    file: DataFile, title: str, header: list[str], rows: Iterator[tuple[int, Sequence[Any]]]
) -> Iterator[Row]:
    split = split_of(title) or file.split
    for number, cells in rows:
        where = f"{file.path} sheet {title!r} row {number}"
        if any(cell is not None for cell in cells[len(header) :]):
            raise InputError(f"{where}: {len(cells)} cells in a table of {len(header)} columns")
        padded = [*cells, *[None] * (len(header) - len(cells))]
        values = dict(zip(header, map(_cell, padded), strict=False))
        yield Row(values, where, split, file.class_names)


def _cell(value: Any) -> Any:
    """Return a cell's value; a date without a time is only a date."""
    is_day = isinstance(value, datetime) and not (value.hour or value.minute or value.second)
    return value.date() if is_day else value


def _parquet_rows(file: DataFile) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file.path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file.path}: not a Parquet file: {error}") from error
    yield from _batch_rows(file, table.schema_arrow, table.iter_batches(batch_size=1000))


def _arrow_rows(file: DataFile, *, is_stream: bool) -> Iterator[Row]:
    import pyarrow
    import pyarrow.ipc

    try:
        source = pyarrow.memory_map(str(file.path))
        if is_stream:
            reader = pyarrow.ipc.open_stream(source)
            yield from _batch_rows(file, reader.schema, reader)
        else:
            reader = pyarrow.ipc.open_file(source)
            batches = map(reader.get_batch, range(reader.num_record_batches))
            yield from _batch_rows(file, reader.schema, batches)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file.path}: not an Arrow file: {error}") from error


def _batch_rows(file: DataFile, schema: Any, batches: Iterable[Any]) -> Iterator[Row]:
    """Yield the rows of Arrow batches, with the class names that their metadata hold."""
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features") or {}
    names = {
        column: kind["names"]
        for column, kind in features.items()
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and kind.get("names")
    }
    number = 0
    for batch in batches:
        for values in batch.to_pylist():
            number += 1
            yield Row(
                values, f"{file.path} row {number}", file.split, {**file.class_names, **names}
            )
