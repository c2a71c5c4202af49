from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata import manifest


def test_counts_are_by_split_source_and_label() -> None:
    counts = manifest.Counts.of([("a", "train", "x"), ("a", "train", "y"), ("b", "test", "")])
    assert counts.records["train"] == Counter(a=2)
    assert counts.records["test"] == Counter(b=1)
    assert counts.labels == {"a": {"x": Counter(train=1), "y": Counter(train=1)}}


def test_counts_as_text_tell_what_became_of_each_source() -> None:
    counts = manifest.Counts.of([("a", "test", "")])
    assert counts.as_text({"a": {"empty answer": 1200}}) == "a: 1 in test, 1,200 empty answer"


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "has no manifest.json"), ("{}", "not a manifest of schema"), ("[]", "not a manifest")],
)
def test_folder_without_a_manifest_of_ours_is_an_input_error(
    tmp_path: Path, content: str | None, fault: str
) -> None:
    if content is not None:
        (tmp_path / manifest.NAME).write_text(content)
    with pytest.raises(InputError, match=fault):
        manifest.read(tmp_path)


def test_missing_folder_error_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder: .*; make one with `prepdata build"):
        manifest.read(tmp_path / "none")


def test_out_that_is_a_file_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InputError, match="is a file; --out names a folder"):
        manifest.check_folder(path)
