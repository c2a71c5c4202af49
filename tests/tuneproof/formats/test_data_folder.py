from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.files import write_jsonl
from tuneproof.formats.data_folder import (
    FILES,
    MANIFEST,
    DataFolder,
    FileFacts,
    Manifest,
    SourceFacts,
    open_to_train,
    read_manifest,
)

ROW = {"instruction": "Why?", "output": "So."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write three files of records, and no manifest."""
    for name, count in zip(FILES.values(), (9, 2, 3), strict=True):
        write_jsonl(tmp_path / name, [{**ROW, "task": "river"}] * count)
    return tmp_path


def test_folder_without_manifest_or_validation_is_enough(folder: Path) -> None:
    (folder / "val.jsonl").unlink()
    data = open_to_train(folder, limit=5)
    assert (len(data.train), data.validation, len(data.test), data.labels) == (5, [], 3, {})
    assert data.tasks == ["river"]
    assert not data.is_as_built


def test_fingerprint_is_that_of_the_bytes(folder: Path) -> None:
    before = DataFolder(folder).fingerprint
    with (folder / "val.jsonl").open("a") as handle:
        handle.write("\n")
    after = DataFolder(folder).fingerprint
    assert [a == b for a, b in zip(before.split(), after.split(), strict=True)] == [
        True, False, True,
    ]  # fmt: skip


def test_build_vouches_for_its_files_until_they_are_edited(tmp_path: Path) -> None:
    from tuneproof.prepdata.build import build
    from tuneproof.prepdata.config import BuildConfig

    built = build(BuildConfig(source=("sample",), out=tmp_path, limit=30))
    hashes = [built.files[name].sha256 for name in FILES.values()]
    assert DataFolder(tmp_path).fingerprint == " ".join(sha256[:16] for sha256 in hashes)
    assert DataFolder(tmp_path).is_as_built
    (tmp_path / "test.jsonl").unlink()
    assert not DataFolder(tmp_path).is_as_built
    assert DataFolder(tmp_path).edited == ["test.jsonl"]


def test_files_of_two_builds_are_found_before_they_are_trained_on(tmp_path: Path) -> None:
    from tuneproof.prepdata.build import build
    from tuneproof.prepdata.checks.data import check_data
    from tuneproof.prepdata.config import BuildConfig

    for name, seed in (("one", 1), ("other", 2)):
        build(BuildConfig(source=("sample",), out=tmp_path / name, limit=30, seed=seed))
    assert "data-edited" not in {each.code for each in check_data(DataFolder(tmp_path / "one"))}
    (tmp_path / "other" / "train.jsonl").replace(tmp_path / "one" / "train.jsonl")
    [found] = [each for each in check_data(DataFolder(tmp_path / "one")) if "edited" in each.code]
    assert found.evidence.startswith(f"{tmp_path / 'one' / 'train.jsonl'}: not as manifest.json")


def test_missing_folder_and_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere; make it with `prepdata build"):
        open_to_train(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no train.jsonl; make it with `prepdata build"):
        open_to_train(tmp_path)
    (tmp_path / "train.jsonl").write_text("")
    with pytest.raises(InputError, match=r"train.jsonl is empty; there is nothing to train on"):
        open_to_train(tmp_path)


def test_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    source = SourceFacts(
        origin="a.csv", licence="yours", files={"a.csv": "12"}, records={"train": 2},
        dropped={"empty text": 1},
    )  # fmt: skip
    manifest = Manifest(
        seed=42, config={"out": "data"}, sources={"csv": source}, labels={"csv": ["b", "a"]},
        label_counts={"csv": {"a": {"train": 2}}}, versions={"python": "3.11"},
        files={"train.jsonl": FileFacts(records=2, sha256="34")},
    )  # fmt: skip
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest
    written = json.loads((tmp_path / MANIFEST).read_text())
    assert [*written] == [
        "schema", "seed", "config", "sources", "labels", "label_counts", "files", "versions",
        "code",
    ]  # fmt: skip
    assert [*written["sources"]["csv"]] == ["from", "licence", "files", "records", "dropped"]


def test_manifest_that_says_less_or_more_is_read(tmp_path: Path) -> None:
    value = {"schema": "tuneproof/data@1", "labels": {"mood": ["good"]}, "mine": 1}
    (tmp_path / MANIFEST).write_text(json.dumps(value))
    assert read_manifest(tmp_path) == Manifest(labels={"mood": ["good"]})


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "has no manifest.json"), ("{}", "not a manifest of schema"), ("[]", "not a manifest")],
)
def test_folder_without_a_manifest_of_ours_is_an_input_error(
    tmp_path: Path, content: str | None, fault: str
) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=fault):
        read_manifest(tmp_path)


def test_missing_folder_error_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder: .*; make one with `prepdata build"):
        read_manifest(tmp_path / "none")
