from __future__ import annotations

from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.documents import tables_of
from tuneproof.prepdata.sources.rows import ReadLog

A, B = {"a": 1}, {"a": 2}


def read(value: Any, **settings: Any) -> tuple[dict[str | None, Any], list[str]]:
    log = ReadLog()
    tables = tables_of(value, "x.json", "x.json", log, **settings)
    return {table.key: table.rows for table in tables}, log.remarks


@pytest.mark.parametrize(
    ("document", "tables", "unread"),
    [
        ([A], {None: [A]}, None),
        ({"version": 1, "data": [A]}, {"data": [A]}, "'version'"),
        ({"labels": [B], "train": [A], "test": [B]}, {"train": [A], "test": [B]}, "'labels'"),
        ({"train": [A], "validation": [B]}, {"train": [A], "validation": [B]}, None),
        ({"topics": [B], "rows": [A]}, {"rows": [A]}, "'topics'"),
        ({"questions": [A]}, {"questions": [A]}, None),
        ({"data": {"train": [A], "test": [B]}}, {"train": [A], "test": [B]}, None),
        ({"a": [1]}, {None: [{"a": [1]}]}, None),
        ({"a": [1, 2], "b": [3, 4]}, {None: [{"a": 1, "b": 3}, {"a": 2, "b": 4}]}, None),
        ({"a": {"0": 1, "1": 2}}, {None: [A, B]}, None),
        ({"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}, {None: [A, B]}, None),
        ({"p": A, "q": B}, {None: [{"id": "p", "a": 1}, {"id": "q", "a": 2}]}, None),
        ({"messages": [{"role": "user", "content": "x"}]}, None, None),
    ],
)
def test_rows_are_found_where_the_meaning_is_plain(
    document: Any, tables: dict[str | None, Any] | None, unread: str | None
) -> None:
    remarks = [f"not read: {unread} of x.json"] if unread else []
    assert read(document) == (tables or {None: [document]}, remarks)


def test_several_lists_of_which_none_is_plainly_the_data_are_an_error() -> None:
    with pytest.raises(InputError, match=r"several lists of objects \(good, bad\), of which none"):
        read({"good": [A], "bad": [B]})


def test_one_line_of_a_file_of_lines_is_a_row_though_it_has_a_list() -> None:
    row = {"question": "x", "answers": [{"text": "y"}]}
    assert read(row, is_row=True) == ({None: [row]}, [])
    assert read({"train": [A]}, is_row=True) == ({"train": [A]}, [])


def test_articles_of_squad_become_their_questions() -> None:
    question = {"question": "Who?", "answers": [{"text": "Ann"}], "id": "1"}
    article = {"title": "T", "paragraphs": [{"context": "Ann did.", "qas": [question]}]}
    tables, _ = read({"version": "2.0", "data": [article]})
    assert tables["data"] == [{"title": "T", "context": "Ann did.", **question}]
