"""Tokenised examples: a list, or a file that is read as it is needed where they are many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = dict[str, Any]
"""`input_ids` of shape (tokens,), and `labels`: of every token, or of the text."""
IN_MEMORY = 500_000
"""Tokens that stay in memory as they are, which takes some 50 bytes for each."""
WRITTEN = 500
"""Rows that are written at once."""


def kept(rows: Iterable[Row]) -> Sequence[Row]:
    """Return rows of tokens as a list, or as a `datasets.Dataset` over a file without a name.

    The system reads of that file what is asked for, and forgets it where memory is short.
    """
    waiting, few, tokens = iter(rows), list[Row](), 0
    for row in waiting:
        few.append(row)
        tokens += len(row["input_ids"])
        if tokens > IN_MEMORY:
            return _in_file(chain(_emptied(few), waiting))
    return few


def _emptied(rows: list[Row]) -> Iterator[Row]:
    """Yield a list's rows, and drop each from it."""
    rows.reverse()
    while rows:
        yield rows.pop()


def _in_file(rows: Iterator[Row]) -> Sequence[Row]:
    import pyarrow
    from datasets import Dataset

    number = pyarrow.int32()
    first = next(rows)
    kinds = {
        name: pyarrow.list_(number) if isinstance(value, list) else number
        for name, value in first.items()
    }
    rows, schema = chain([first], rows), pyarrow.schema(kinds)
    with tempfile.NamedTemporaryFile(prefix="tuneproof-", suffix=".arrow") as file:
        with pyarrow.ipc.new_stream(file, schema) as writer:
            while part := list(islice(rows, WRITTEN)):
                columns = {name: [row[name] for row in part] for name in schema.names}
                writer.write_batch(pyarrow.RecordBatch.from_pydict(columns, schema=schema))
        file.flush()
        with pyarrow.ipc.open_stream(pyarrow.memory_map(file.name)) as reader:
            name = Path(file.name).stem  # else all of it is read, to be named by its contents
            whole: Sequence[Row] = Dataset(reader.read_all(), fingerprint=name)
            return whole


def lengths(dataset: Any) -> NDArray[np.int64]:
    """Return how many tokens each row of a `datasets.Dataset` has, without reading them all."""
    import numpy as np
    import pyarrow.compute as pc

    column = dataset.with_format("arrow")[:]["input_ids"]
    return np.asarray(pc.list_value_length(column), np.int64)


def dataset_of(rows: Sequence[Row], *, by_length: bool = False) -> Any:
    """Return rows as a `datasets.Dataset`; by length where little padding is wanted."""
    from datasets import Dataset

    if not isinstance(rows, Dataset):
        return Dataset.from_list(
            sorted(rows, key=lambda row: len(row["input_ids"])) if by_length else list(rows)
        )
    return rows.select(lengths(rows).argsort(kind="stable")) if by_length else rows
