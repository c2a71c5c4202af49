from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.opening import read_local
from tuneproof.prepdata.sources.rows import ReadLog

TABLE = [{"text": "one, two; three", "label": "x"}, {"text": "é", "label": "y"}]


def values(path: Path, log: ReadLog | None = None) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_local(path, log or ReadLog())]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


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


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.json", "3", "a list of objects is needed, found 3"),
        ("a.json", "[1]", "a.json item 1: an object is needed, found 1"),
        ("a.jsonl", '{"a": 1}\n\n{"a"', r"a\.jsonl:3: not valid JSON"),
        ("a.csv", "a,b\n1,2\n1\n", r"a\.csv:3: 1 cells in a table of 2 columns"),
        ("a.csv", "a,b\n1,2,3\n", r"a\.csv:2: 3 cells in a table of 2 columns"),
        ("a.csv", 'a,b\n1,"open\n2,3\n', r"a\.csv:3: not readable CSV: unexpected end of data"),
        (
            "a.csv",
            b"a,b\n" + "\u65e5\u672c\u8a9e,\u6771\u4eac\n".encode("gbk"),
            r"a\.csv:2: not UTF-8 text",
        ),
        (
            "a.csv",
            "a,b\n1,2\n\ud800,3\n".encode("utf-16", "surrogatepass"),
            r"a\.csv:3: not UTF-16 text: illegal UTF-16 surrogate; save it as UTF-8",
        ),
        (
            "a.csv",
            "a,b\n1,2\n".encode("utf-16-be") + b"\0",
            r"a\.csv:3: not UTF-16 text: truncated",
        ),
        ("a.csv", "a,b,a\n1,2,3\n", r"a\.csv:1: 2 columns are called 'a'"),
        ("a.csv", b"%PDF-1.7\x00\x01\x02", "neither text nor a table"),
        ("a.jsonl", '["a"]\n["b"]', r"a\.jsonl:1: a JSON object is needed, found \["),
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


def delimited(rows: Sequence[dict[str, str]], delimiter: str) -> str:
    lines = [[*rows[0]], *([*row.values()] for row in rows)]
    return "".join(delimiter.join(f'"{cell}"' for cell in line) + "\r\n" for line in lines)


@pytest.mark.parametrize(
    ("name", "delimiter", "remark"),
    [
        ("a.csv", ",", None),
        ("a.csv", ";", "a.csv: its columns are separated by ';'"),
        ("a.csv", "\t", "a.csv: its columns are separated by a tab"),
        ("a.csv", "|", "a.csv: its columns are separated by '|'"),
        ("a.tsv", "\t", None),
        ("a.tsv", ",", "a.tsv: its columns are separated by ','"),
    ],
)
def test_delimiter_is_read_off_the_table(
    tmp_path: Path, name: str, delimiter: str, remark: str | None
) -> None:
    log = ReadLog()
    assert values(written(tmp_path / name, delimited(TABLE, delimiter)), log) == TABLE
    assert log.remarks == ([remark] if remark else [])
    assert log.rows == {name: 2}


def test_sep_line_states_the_delimiter_and_is_no_row(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "sep=;\r\n" + delimited(TABLE, ";"))
    assert values(path) == TABLE
    path = written(tmp_path / "b.csv", "sep=,\na,b\n1\n")
    with pytest.raises(InputError, match=r"b\.csv:3: 1 cells in a table of 2 columns"):
        values(path)


def test_one_column_with_signs_in_its_texts_stays_one_column(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'text\n"a, b"\nc; d\ne\n')
    assert values(path) == [{"text": "a, b"}, {"text": "c; d"}, {"text": "e"}]


def test_stray_quotation_marks_of_a_tab_table_are_text(tmp_path: Path) -> None:
    log = ReadLog()
    path = written(tmp_path / "a.tsv", 'text\tlabel\n"Hi" she said\tx\n5" screen\ty\n')
    assert [row["text"] for row in values(path, log)] == ['"Hi" she said', '5" screen']
    assert log.remarks == ["a.tsv: its quotation marks are text; they enclose nothing"]


def test_names_of_columns_are_stripped_and_nameless_ones_numbered(tmp_path: Path) -> None:
    assert values(written(tmp_path / "a.csv", ",text , label\n0,a,b\n")) == [
        {"column 1": "0", "text": "a", "label": "b"}
    ]


@pytest.mark.parametrize(
    ("encoding", "remark"),
    [
        ("utf-8", []),
        ("utf-8-sig", []),
        ("utf-16", []),
        ("utf-16-le", ["a.csv: read as UTF-16 (it has no byte order mark)"]),
        ("cp1252", ["a.csv: not UTF-8, read as Windows-1252"]),
    ],
)
def test_encoding_is_read_off_the_bytes(tmp_path: Path, encoding: str, remark: list[str]) -> None:
    log = ReadLog()
    content = 'text,label\n"one, two; three",x\né,y\n'.encode(encoding)
    assert values(written(tmp_path / "a.csv", content), log) == TABLE
    assert log.remarks == remark


def test_utf8_with_one_spoilt_character_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    rows = "".join(f"F\u00fc{number} gro\u00dfe B\u00e4ume,x\n" for number in range(9)).encode()
    file = written(tmp_path / "a.csv", b"text,label\n" + rows + "\u00fc".encode()[:1] + b",y\n")
    with pytest.raises(InputError, match=r"a\.csv:11: not UTF-8 text"):
        values(file)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    import pyarrow

    text = delimited(TABLE, ",") if name == "a.csv" else "\n".join(map(json.dumps, TABLE))
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    with pyarrow.output_stream(str(tmp_path / f"{name}.zst"), compression="zstd") as stream:
        stream.write(text.encode())
    assert values(tmp_path / f"{name}.gz") == TABLE
    assert values(tmp_path / f"{name}.zst") == TABLE


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.txt"])
@pytest.mark.parametrize("indent", [None, 1])
def test_json_is_known_whatever_the_file_is_called(
    tmp_path: Path, name: str, indent: int | None
) -> None:
    assert values(written(tmp_path / name, json.dumps(TABLE, indent=indent))) == TABLE
    assert values(written(tmp_path / name, "\n".join(map(json.dumps, TABLE)))) == TABLE


def test_class_names_in_the_metadata_of_parquet_go_along(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["no", "yes"])
    )
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(tmp_path / "a.parquet"))
    read = read_local(tmp_path / "a.parquet", ReadLog())
    assert [row.with_class_names().values["label"] for row in read] == ["yes", "no"]


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_excel_sheet_is_read_and_others_are_named(tmp_path: Path) -> None:
    log = ReadLog()
    rows = [["question", "answer", None], ["How many?", 3], [None, None], ["How much?", 2.5]]
    path = workbook(tmp_path / "a.xlsx", {"Sheet1": rows, "Notes": [["by"], ["me"]], "Empty": []})
    assert values(path, log) == [
        {"question": "How many?", "answer": 3},
        {"question": "How much?", "answer": 2.5},
    ]
    assert log.remarks == ["not read: a.xlsx sheet 'Notes' (it has other columns)"]


def test_excel_sheets_called_after_splits_are_read_as_such(tmp_path: Path) -> None:
    table = [["q", "a"], ["x", "y"]]
    path = workbook(tmp_path / "a.xlsx", {"Train": table, "Test": table})
    assert [row.split for row in read_local(path, ReadLog())] == ["train", "test"]


def test_what_is_no_workbook_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pytest.raises(InputError, match=r"not an Excel file of the \.xlsx kind; save it as"):
        values(written(tmp_path / "a.xlsx", "junk"))


def test_excel_without_its_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"needs openpyxl: pip install 'tuneproof\[excel\]'"):
        values(written(tmp_path / "a.xlsx", "junk"))
