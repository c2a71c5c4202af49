from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import FileFacts, Manifest, SourceFacts
from tuneproof.prepdata import report
from tuneproof.prepdata.report import build_summary, histogram, inspect, overview, quantile


def test_histogram_has_doubling_steps_without_gaps() -> None:
    lines = histogram(Counter({10: 3, 32: 1, 33: 1, 200: 2})).split("\n")
    assert [line.split()[:4] for line in lines[:4]] == [
        ["up", "to", "32", "4"],
        ["up", "to", "64", "1"],
        ["up", "to", "128", "0"],
        ["up", "to", "256", "2"],
    ]
    assert lines[4] == "50% within 32, 90% within 200, 99% within 200, longest 200"


@pytest.mark.parametrize(("share", "expected"), [(0.01, 1), (0.5, 2), (0.75, 3), (1.0, 4)])
def test_quantile_is_the_smallest_length_that_keeps_the_share(share: float, expected: int) -> None:
    assert quantile({1: 1, 2: 1, 3: 1, 4: 1}, share) == expected


def test_lengths_of_all_splits_are_counted(
    built: Callable[..., Any],
    rows: list[dict[str, str]],
    tmp_path: Path,
    tokenizer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built(rows)
    monkeypatch.setattr(report, "load_tokenizer", lambda name, purpose: tokenizer)
    text = inspect(tmp_path / "data", records=0)
    steps = [line.split() for line in text.split("\n") if line.startswith("  up to")]
    assert sum(int(step[3]) for step in steps) == len(rows)
    assert "instruction:" not in text


def test_file_that_was_cut_after_the_build_is_an_error(
    built: Callable[..., Any],
    rows: list[dict[str, str]],
    tmp_path: Path,
    tokenizer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built(rows)
    path = tmp_path / "data" / "train.jsonl"
    path.write_text(path.read_text().split("\n", 1)[1])
    monkeypatch.setattr(report, "load_tokenizer", lambda name, purpose: tokenizer)
    with pytest.raises(InputError, match="its manifest says"):
        inspect(tmp_path / "data")


def manifest(validation: int = 2) -> Manifest:
    source = SourceFacts(
        origin="x", licence="yours", files={}, dropped={"empty text": 2},
        records={"train": 1200, "validation": 3, "test": 4},
    )  # fmt: skip
    numbers = {"train.jsonl": 2, "val.jsonl": validation, "test.jsonl": 2}
    files = {name: FileFacts(records=count, sha256="") for name, count in numbers.items()}
    return Manifest(sources={"a": source, "b": replace(source, dropped={})}, files=files)


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
        "2 test records: a difference between two models is seen from about 71 percentage points "
        "on\n"
        "\n"
        "wrote train.jsonl, val.jsonl, test.jsonl and manifest.json to out"
    )


def test_empty_split_is_warned_of() -> None:
    assert overview(manifest(validation=0)).endswith("\nwarning: the validation split is empty")


def test_summary_ends_with_what_was_read_from_where_and_what_was_not() -> None:
    facts = manifest()
    read = replace(
        facts.sources["a"], read={"train.csv": 1200, "test.csv": 7}, remarks=["not read: b.txt"]
    )
    text = build_summary(Path("out"), replace(facts, sources={"a": read}))
    assert text.split("\n\n")[-3] == (
        "read of a: 1,207 rows in all: 1,200 rows of train.csv, 7 rows of test.csv\n"
        "  not read: b.txt"
    )
