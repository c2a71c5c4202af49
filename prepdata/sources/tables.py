"""Rows of the tables that are no text: Excel, Parquet and Arrow."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.data_file import DataFile, column_names, counted
from tuneproof.prepdata.sources.rows import ReadLog, Row, split_of


def sheet_rows(file: DataFile, log: ReadLog) -> Iterator[Row]:
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
            rows_of = _rows_of_sheet(file, title, *sheets[title])
            yield from counted(rows_of, label if len(sheets) > 1 else file.name, log)


def _trimmed(file: DataFile, title: str, row: tuple[int, Sequence[Any]]) -> tuple[list[Any], str]:
    """Return the cells of a header up to the last filled one, and where it is."""
    cells = list(row[1])
    while cells and cells[-1] is None:
        cells.pop()
    return cells, f"{file.path} sheet {title!r} row {row[0]}"


def _rows_of_sheet(
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


def parquet_rows(file: DataFile) -> Iterator[Row]:
    """Yield the rows of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file.path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file.path}: not a Parquet file: {error}") from error
    yield from _batch_rows(file, table.schema_arrow, table.iter_batches(batch_size=1000))


def arrow_rows(file: DataFile, *, is_stream: bool) -> Iterator[Row]:
    """Yield the rows of an Arrow file, or of a stream that was saved as one."""
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
