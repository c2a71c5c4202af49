from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.tuning.data import data_fingerprint, read_data


def test_folder_without_manifest_or_validation_is_enough(
    tmp_path: Path, write_data: Callable[..., Path]
) -> None:
    folder = write_data(tmp_path / "data")
    (folder / "val.jsonl").unlink()
    data = read_data(folder, limit=5)
    assert (len(data.train), data.validation, data.labels) == (5, [], {})
    assert data.tasks == ["river"]


def test_fingerprint_is_that_of_the_bytes(tmp_path: Path, write_data: Callable[..., Path]) -> None:
    folder = write_data(tmp_path / "data")
    before = data_fingerprint(folder)
    with (folder / "val.jsonl").open("a") as handle:
        handle.write("\n")
    after = data_fingerprint(folder)
    assert [a == b for a, b in zip(before.split(), after.split(), strict=True)] == [
        True, False, True,
    ]  # fmt: skip


def test_fingerprint_is_that_of_the_manifest_where_nothing_was_edited(tmp_path: Path) -> None:
    from tuneproof.prepdata.build import build
    from tuneproof.prepdata.config import BuildConfig
    from tuneproof.prepdata.manifest import data_fingerprint as of_manifest

    built = build(BuildConfig(source=("sample",), out=tmp_path / "data", limit=30))
    assert data_fingerprint(tmp_path / "data") == of_manifest(built)


def test_missing_folder_and_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere; make it with `prepdata build"):
        read_data(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no train.jsonl; make it with `prepdata build"):
        read_data(tmp_path)
    (tmp_path / "train.jsonl").write_text("")
    with pytest.raises(InputError, match=r"train.jsonl is empty; there is nothing to train on"):
        read_data(tmp_path)
