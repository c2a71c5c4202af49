"""Examples of a file that is too large for memory are those of one that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.formats import example as module
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import ExampleLines, open_examples

LINES = [
    json.dumps({"instruction": f"Frage {n}: grüß?", "output": "ja"}, ensure_ascii=False)
    for n in range(6)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "train.jsonl"
    file.write_bytes(("\ufeff" + LINES[0] + "\r\n\n  \n" + "\n".join(LINES[1:])).encode())
    return file


@pytest.mark.parametrize("limit", [None, 4])
def test_lines_are_read_as_a_list_is(path: Path, limit: int | None) -> None:
    whole, lines = list(open_examples(path, limit)), ExampleLines(path, limit)
    assert list(lines) == whole
    assert len(lines) == len(whole) == (limit or 6)
    assert [lines[number] for number in range(len(lines))] == whole
    assert lines[-1] == whole[-1]
    assert lines[1:3] == whole[1:3]
    with pytest.raises(IndexError):
        lines[len(whole)]


def test_large_files_are_read_as_they_are_needed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(DataFolder(path.parent).train, list)
    monkeypatch.setattr(module, "IN_MEMORY", 10)
    assert isinstance(DataFolder(path.parent, 3).train, ExampleLines)
    path.write_text(json.dumps([json.loads(line) for line in LINES]))  # one document
    assert isinstance(DataFolder(path.parent).train, list)


def test_line_that_is_no_example_is_named_when_it_is_read(path: Path) -> None:
    path.write_text("\n".join([*LINES, '{"instruction": 1}', "[1]"]))
    lines = ExampleLines(path)
    for place, said in ((6, "train.jsonl:7: missing field 'output'"), (7, "train.jsonl:8: an obj")):
        with pytest.raises(InputError, match=said):
            lines[place]
    path.write_text("\r".join(LINES) + "\n")
    with pytest.raises(InputError, match=r"train\.jsonl:1: a carriage return amid a line"):
        ExampleLines(path)
