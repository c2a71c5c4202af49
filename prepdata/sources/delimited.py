"""Rows of delimited text: the delimiter and the quoting are read off its first lines."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO, Any

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.data_file import DataFile, column_names
from tuneproof.prepdata.sources.rows import ReadLog, Row

DELIMITERS = ",;\t|"
SAMPLED = 1 << 16
"""Characters of a table that its delimiter is read off."""
SAMPLED_ROWS = 100


def delimited_rows(file: DataFile, opened: Callable[[], IO[str]], log: ReadLog) -> Iterator[Row]:
    """Yield the rows of a file that `opened` opens; the first line has the names of the columns."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a C long has 32 bits on Windows
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
