"""Broken files are one clear error each, and odd ones are read, in whatever form they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import MANIFEST, read_manifest
from tuneproof.formats.example import read_examples, read_prompts
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.report import build_summary

ROW = {"id": "r0", "instruction": "What is 0?", "input": "", "output": "answer 0"}
DIGITS = "9" * 5000
DEEP = "[" * 5000 + "]" * 5000
LONG = "a" * 3000
HALF = r"\udfff x"


def read(path: Path) -> list[Any]:
    return list(read_examples(path))


def built(path: Path) -> list[Any]:
    build(BuildConfig(source=(f"jsonl={path}",), out=path.parent / "data"))
    return []


def line(**changes: str) -> str:
    """Return a line of JSON whose values are JSON already."""
    values = {**{key: json.dumps(value) for key, value in ROW.items()}, **changes}
    return "{" + ", ".join(f'"{key}": {value}' for key, value in values.items()) + "}\n"


@pytest.mark.parametrize("reader", [read, read_prompts, built])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (line() + line(output=DIGITS), "a number of too many digits"),
        (line() + line(input=DEEP), "nested too deeply"),
        (f"[{line(id=DIGITS)}]", "a number of too many digits"),
        (f"[{line(input=DEEP)}]", "nested too deeply"),
        (f'{{"{LONG}": 1, "output": "x"}}\n' + line(), r"no field|missing field"),
        ("\ufffe", r"not valid JSON|a JSON object is needed"),
        ("{", "not valid JSON"),
    ],
)
def test_broken_file_is_one_short_error(
    tmp_path: Path, reader: Callable[[Path], Any], content: str, fault: str
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=fault) as caught:
        reader(path)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert str(caught.value).startswith(str(path))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("field", ["id", "instruction", "input", "output"])
@pytest.mark.parametrize("reader", [read, read_prompts])
def test_half_of_a_surrogate_pair_becomes_a_replacement_character(
    tmp_path: Path, reader: Callable[[Path], Any], field: str
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(line(**{field: f'"{HALF}"'}) + line(id='"b"', output=r'"\ud83d\ude00"'))
    first, second = reader(path)
    assert getattr(first, field) == "\ufffd x"
    assert second.output == "\U0001f600"
    json.dumps(first.as_row(), ensure_ascii=False).encode()


def test_build_keeps_a_row_with_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(line(output=f'"{HALF}"'))
    built(path)
    rows = (tmp_path / "data" / "train.jsonl").read_text(encoding="utf-8")
    assert json.loads(rows)["output"] == "\ufffd x"


def test_manifest_that_names_some_of_its_files_only_is_shown(tmp_path: Path) -> None:
    value = {
        "schema": "tuneproof/data@1", "labels": {"mood": ["good", "bad"]},
        "files": {"train.jsonl": {"records": 2, "sha256": "12"}},
    }  # fmt: skip
    (tmp_path / MANIFEST).write_text(json.dumps(value))
    assert "wrote train.jsonl and manifest.json" in build_summary(tmp_path, read_manifest(tmp_path))
