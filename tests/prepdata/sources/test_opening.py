from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources import opening
from tuneproof.prepdata.sources.opening import Row, local_files, read_local, split_of


def values(path: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_local(path)]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("train-00000-of-00002", "train"),
        ("topic_valid", "validation"),
        ("dev_compact", "validation"),
        ("TEST", "test"),
        ("constraints", None),
        ("contest", None),
        ("unsupervised", None),
    ],
)
def test_split_is_a_whole_word_of_the_name(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_folder_gives_the_files_that_speak_of_a_split(tmp_path: Path) -> None:
    for name in ("test.csv", "train.CSV", "labels.json", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in local_files(tmp_path)] == ["test.csv", "train.CSV"]


def test_folder_without_split_names_gives_all_readable_files(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.parquet", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in local_files(tmp_path)] == ["a.parquet", "b.jsonl"]


def test_unreadable_places_are_input_errors(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(InputError, match=r"cannot read '.xlsx'; readable: .csv, .json"):
        local_files(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match=r"holds no .csv"):
        local_files(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        local_files(tmp_path / "none")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    rows = [{"text": "one, two\nthree", "label": "x"}, {"text": "é", "label": "y"}]
    path = tmp_path / name
    if name.endswith(".parquet"):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif name.endswith(".csv"):
        path.write_text('text,label\n"one, two\nthree",x\né,y\n', encoding="utf-8-sig")
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows))
    assert values(path) == rows


def test_json_file_may_hold_a_table_or_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"version": 1, "tags": ["x"], "data": [{"a": 1}]}')
    assert values(path) == [{"a": 1}]
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert values(path) == [{"a": 1}, {"a": 2}]
    path.write_text('{"a": [1]}')
    assert values(path) == [{"a": [1]}]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.json", "3", "a list of objects is needed, found 3"),
        ("a.json", "[1]", "a.json item 1: an object is needed, found 1"),
        ("a.jsonl", '{"a": 1}\n\n{"a"', r"a\.jsonl:3: not valid JSON"),
        ("a.csv", "a,b\n1,2\n1\n", r"a\.csv:3: 1 cells in a table of 2 columns"),
        ("a.csv", "a,b\n1,2,3\n", r"a\.csv:2: 3 cells in a table of 2 columns"),
        ("a.csv", 'a,b\n1,"open\n2,3\n', r"a\.csv:3: not readable CSV: unexpected end of data"),
        ("a.csv", b"a,b\n\xe9,2\n", "not UTF-8 text"),
        ("a.parquet", "junk", "not a Parquet file"),
    ],
)
def test_broken_file_names_file_and_place(
    tmp_path: Path, name: str, content: str | bytes, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=fault):
        values(path)


def test_row_text_is_stripped_and_null_is_empty() -> None:
    row = Row({"a": " x ", "b": None, "c": 3, "d": True}, "here", None)
    assert [row.text(name) for name in "abcde"] == ["x", "", "3", "true", ""]


def test_row_text_keeps_whole_pairs_and_replaces_half_ones() -> None:
    row = Row({"a": "\ud83d\ude00", "b": "x\ud83d"}, "here", None)
    assert row.text("a") == "\N{GRINNING FACE}"
    assert row.text("b") == "x\N{REPLACEMENT CHARACTER}"


def test_list_where_text_is_needed_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"file:3: 'a' must be text, found \['x'\]"):
        Row({"a": ["x"]}, "file:3", None).text("a")


def test_required_field_error_lists_the_fields_found() -> None:
    with pytest.raises(InputError, match="file:3: missing field 'c'; it has a, b"):
        Row({"a": 1, "b": 2}, "file:3", None).require("a", "c")


def test_hub_rows_carry_their_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: True)
    splits = {"train": [{"a": 1}], "test": [{"a": 2}], "unsupervised": [{"a": 3}]}
    monkeypatch.setattr("datasets.load_dataset", lambda hub_id: splits)
    found = list(opening.read_hub("who/what", "name"))
    assert [row.split for row in found] == ["train", "test", None]
    assert found[0].where == "who/what/train row 1"


def test_hub_fault_is_one_line_that_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: True)

    def missing(hub_id: str) -> None:
        raise FileNotFoundError("no such dataset\nsecond line")

    monkeypatch.setattr("datasets.load_dataset", missing)
    with pytest.raises(InputError) as caught:
        list(opening.read_hub("who/what", "dolly"))
    assert str(caught.value) == (
        "cannot load 'who/what': no such dataset. Give a local copy instead: --source dolly=PATH"
    )
