from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneproof.prepdata.summary import build_summary, warnings


def manifest(**other: Any) -> dict[str, Any]:
    source = {"records": {"train": 1200, "validation": 3, "test": 4}, "dropped": {"empty text": 2}}
    return {
        "sources": {"a": source, "b": {**source, "dropped": {}}},
        "labels": {},
        "label_counts": {},
        "files": {name: {"records": 2} for name in ("train.jsonl", "val.jsonl", "test.jsonl")},
        **other,
    }


def test_summary_has_counts_totals_reasons_and_place() -> None:
    assert build_summary(Path("out"), manifest()) == (
        "source  train  validation  test  left out\n"
        "a       1,200           3     4         2\n"
        "b       1,200           3     4         0\n"
        "total   2,400           6     8         2\n"
        "\n"
        "left out\n"
        "  a  2  empty text\n"
        "\n"
        "wrote train.jsonl, val.jsonl, test.jsonl and manifest.json to out"
    )


def test_empty_split_is_warned_of() -> None:
    files = {
        "train.jsonl": {"records": 1},
        "val.jsonl": {"records": 0},
        "test.jsonl": {"records": 1},
    }
    assert warnings(manifest(files=files)) == ["the validation split is empty"]
