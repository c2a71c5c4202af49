"""General rows that come with the package: what `prepdata build --mix regressions=SHARE` mixes in.

They are of the kinds that `infer compare regressions` asks, and none of them is asked there. One:

    {"kind": "facts", "instruction": "What is the capital of Spain?", "input": "",
     "output": "Madrid."}
"""

from __future__ import annotations

from collections.abc import Iterator

from tuneproof.formats.example import Example
from tuneproof.formats.regressions import read_mixed
from tuneproof.prepdata.sources.rows import Row


def rows() -> Iterator[Row]:
    """Yield the rows, of all kinds in turn."""
    for number, example in enumerate(read_mixed(), 1):
        yield Row(example.as_row(), f"general row {number}", None)


def record(row: Row) -> Example:
    """Map one row."""
    return Example(
        id=row.text("id"),
        task="general",
        instruction=row.text("instruction"),
        input=row.text("input"),
        output=row.text("output"),
        group=row.text("id"),
    )
