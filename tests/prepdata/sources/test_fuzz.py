"""Spoilt files of sources: a build reads them, counts what it cannot use, or says what is wrong."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.spoilt import FEW, Reader, as_is, as_json, as_lines, try_many, try_one
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig

DOLLY = [
    {
        "instruction": f"What is {n}?",
        "context": "",
        "response": f"It is {n}.",
        "category": "open_qa",
    }
    for n in range(6)
]
PAGE = {
    "pre_text": ["before ( 1 ) the loss ."],
    "post_text": ["after .", ""],
    "table": [["", "2012", "2011"], ["sales", "$ 12", "$ 10"], ["loss", "-3 ( 3 )", "4% ( 4 % )"]],
}
ASKED = {
    "question": "what grew?", "answer": "20%", "exe_ans": 0.2,
    "program": "divide(2, const_10), table_sum(sales, none), greater(#0, #1)",
}  # fmt: skip
FINQA = [
    {**PAGE, "id": "V/1/p.pdf-1", "filename": "V/1/p.pdf", "qa": ASKED},
    {**PAGE, "id": "V/2/p.pdf-1", "question": "what grew?", "final_result": "0.2"},
    {**PAGE, **ASKED, "id": "V/3/p.pdf-2", "retrieved_context": ["the loss is -3 ( 3 ) ;"]},
]
TABLE = "id,text,label\n" + "".join(
    f'{n},"a text, that ends with ""{n}""\nand goes on",{"yes" if n % 2 else "no"}\n'
    for n in range(12)
)
CHATS = [
    {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": f"To {n}?"},
            {"from": "gpt", "value": "Yes."},
            {"from": "human", "value": "When?"},
            {"from": "gpt", "value": f"In {n} days."},
        ]
    }
    for n in range(3)
]  # fmt: skip


def builder(source: str, **settings: Any) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        out = path.parent / "data"
        build(BuildConfig(source=(f"{source}={path}",), out=out, **settings))

    return read


def as_table(rows: Any, draw: random.Random) -> str | bytes:
    """Return rows of objects as CSV, spoilt as a text is."""
    handle = io.StringIO()
    writer = csv.writer(handle, delimiter=draw.choice(",,;\t"))
    for row in rows if isinstance(rows, list) else [rows]:
        writer.writerow(map(str, row.values() if isinstance(row, dict) else [row]))
    return as_is(handle.getvalue(), draw)


LABELLED = {"text_field": "text", "label_field": "label"}
READERS = {
    "dolly": Reader(DOLLY, "d.jsonl", as_lines, builder("dolly")),
    "finqa": Reader(FINQA, "f.json", as_json, builder("finqa")),
    "csv": Reader(TABLE, "t.csv", as_is, builder("csv", **LABELLED)),
    "rows of csv": Reader([{"a": "text", "b": "label"}, *DOLLY], "t.csv", as_table,
                          builder("csv", **LABELLED)),
    "jsonl": Reader(DOLLY, "own.jsonl", as_lines, builder("jsonl")),
    "conversations": Reader(CHATS, "chats.json", as_json, builder("jsonl")),
}  # fmt: skip


@pytest.mark.parametrize("kind", READERS)
def test_spoilt_source_is_built_or_refused(kind: str, tmp_path: Path) -> None:
    for seed in range(FEW // 4):
        try_one(kind, READERS[kind], seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_many_spoilt_sources_are_built_or_refused(kind: str, tmp_path: Path) -> None:
    try_many(kind, READERS[kind], tmp_path)
