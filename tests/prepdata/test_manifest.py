from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.manifest import Counts, check_folder


def test_counts_are_by_split_source_and_label() -> None:
    counts = Counts.of([("a", "train", "x"), ("a", "train", "y"), ("b", "test", "")])
    assert counts.records["train"] == Counter(a=2)
    assert counts.records["test"] == Counter(b=1)
    assert counts.labels == {"a": {"x": Counter(train=1), "y": Counter(train=1)}}


def test_counts_as_text_tell_what_became_of_each_source() -> None:
    counts = Counts.of([("a", "test", "")])
    assert counts.as_text({"a": {"empty answer": 1200}}) == "a: 1 in test, 1,200 empty answer"


def test_out_that_is_a_file_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InputError, match="is a file; --out names a folder"):
        check_folder(path)
