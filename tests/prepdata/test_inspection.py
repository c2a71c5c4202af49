from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof import hub
from tuneproof.errors import InputError
from tuneproof.prepdata import inspection
from tuneproof.prepdata.inspection import histogram, inspect, load_tokenizer, quantile


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
    monkeypatch.setattr(inspection, "load_tokenizer", lambda name: tokenizer)
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
    monkeypatch.setattr(inspection, "load_tokenizer", lambda name: tokenizer)
    with pytest.raises(InputError, match="its manifest says"):
        inspect(tmp_path / "data")


def test_tokenizer_is_loaded_from_a_folder(tmp_path: Path, tokenizer: Any) -> None:
    tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path))("river")["input_ids"] == tokenizer("river")["input_ids"]


def test_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no tokenizer"):
        load_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="cannot load the tokenizer"):
        load_tokenizer(str(tmp_path))
    shutil.rmtree(tmp_path)


def test_unknown_tokenizer_without_a_network_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "_answers", lambda: False)
    with pytest.raises(InputError, match="`--tokenizer tiny` needs no network"):
        load_tokenizer("nobody/has-this")
