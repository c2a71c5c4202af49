from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.opening import Listing, fingerprints, local_files, read_local
from tuneproof.prepdata.sources.rows import ReadLog


def listed(path: Path) -> list[tuple[str, str | None]]:
    return [(file.name, file.split) for file in local_files(path).files]


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_folder_gives_the_files_that_speak_of_a_split_and_names_the_others(tmp_path: Path) -> None:
    touched(tmp_path, "test.csv", "train.CSV", "labels.json", "notes.txt", "README.md", ".hidden")
    assert listed(tmp_path) == [("test.csv", "test"), ("train.CSV", "train")]
    assert local_files(tmp_path).unread == (
        "notes.txt (no data file by its name)",
        "labels.json (its name speaks of no split, as others do)",
    )


def test_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    touched(tmp_path, "test.csv")
    os.mkfifo(tmp_path / "train.jsonl")
    assert listed(tmp_path) == [("test.csv", "test")]
    assert local_files(tmp_path).unread == ("train.jsonl (no file that can be read twice)",)


def test_folder_without_split_names_gives_all_readable_files(tmp_path: Path) -> None:
    touched(tmp_path, "b.jsonl", "a.parquet", "c.tsv.gz", "notes.txt")
    names = [name for name, _ in listed(tmp_path)]
    assert names == ["a.parquet", "b.jsonl", "c.tsv.gz"]


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train.jsonl", "eval.jsonl"), ["test", "train"]),
        (("train.jsonl", "evaluation.csv"), ["test", "train"]),
        (("train.jsonl", "holdout.csv"), ["test", "train"]),
        (("train.jsonl", "held_out.csv"), ["test", "train"]),
        (("train.jsonl", "dev.csv"), ["validation", "train"]),
        (("train.jsonl", "eval.jsonl", "test.jsonl"), ["validation", "test", "train"]),
    ],
)
def test_held_out_files_are_known_by_all_their_usual_names(
    tmp_path: Path, names: tuple[str, ...], splits: list[str]
) -> None:
    assert [split for _, split in listed(touched(tmp_path, *names))] == splits


def test_clone_from_the_hub_is_read_below_its_data_folder(tmp_path: Path) -> None:
    data = ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet")
    touched(tmp_path, *data, ".git/config", "README.md", "dataset_infos.json", "extra/a.csv")
    assert listed(tmp_path) == [(data[1], "test"), (data[0], "train")]
    assert local_files(tmp_path).unread == ("extra (a folder of its own)",)
    assert set(fingerprints(tmp_path)) == set(data)


def test_folders_called_after_splits_give_their_files_the_split(tmp_path: Path) -> None:
    touched(tmp_path, "train/a.jsonl", "train/b.jsonl", "validation/a.jsonl")
    assert [split for _, split in listed(tmp_path)] == ["train", "train", "validation"]


def test_a_single_folder_within_is_read_and_several_are_an_error(tmp_path: Path) -> None:
    touched(tmp_path, "main/train.jsonl")
    assert listed(tmp_path) == [("main/train.jsonl", "train")]
    touched(tmp_path, "other/train.jsonl")
    with pytest.raises(InputError, match="several folders: main, other; name one"):
        local_files(tmp_path)


def test_unreadable_places_are_input_errors(tmp_path: Path) -> None:
    (tmp_path / "a.docx").touch()
    with pytest.raises(InputError, match=r"cannot read '.docx'; readable: .csv, .json"):
        local_files(tmp_path / "a.docx")
    with pytest.raises(InputError, match=r"holds no .csv"):
        local_files(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        local_files(tmp_path / "none")


def test_saved_data_sets_of_both_kinds_are_read(tmp_path: Path) -> None:
    import datasets

    rows = [{"instruction": f"Ask {n}", "label": n % 2} for n in range(4)]
    features = datasets.Features(
        instruction=datasets.Value("string"), label=datasets.ClassLabel(names=["no", "yes"])
    )
    saved = datasets.Dataset.from_list(rows, features=features)
    saved.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=saved, test=saved).save_to_disk(tmp_path / "both")
    for name, splits in (("one", [None] * 4), ("both", ["train"] * 4 + ["test"] * 4)):
        log = ReadLog()
        read = [row.with_class_names() for row in read_local(tmp_path / name, log)]
        assert [row.split for row in read] == splits
        assert [row.values["label"] for row in read[:4]] == ["no", "yes", "no", "yes"]
        assert log.rows.total() == len(splits)
        assert log.remarks == []


@pytest.mark.parametrize("lost", ["data-00000-of-00001.arrow", "_data_files"])
def test_saved_data_set_that_lacks_something_is_named(tmp_path: Path, lost: str) -> None:
    import datasets

    datasets.Dataset.from_list([{"instruction": "Ask"}]).save_to_disk(tmp_path / "one")
    if lost.endswith(".arrow"):
        (tmp_path / "one" / lost).unlink()
    else:
        (tmp_path / "one" / "state.json").write_text("{}")
    with pytest.raises(InputError, match=lost):
        local_files(tmp_path / "one")


def test_class_names_are_read_off_a_dataset_card(tmp_path: Path) -> None:
    card = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': lost
          '1': found
---
# A data set"""
    (tmp_path / "README.md").write_text(card)
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": "a", "label": 1}))
    (row,) = read_local(tmp_path, ReadLog())
    assert row.with_class_names().values == {"text": "a", "label": "found"}
    known = fingerprints(tmp_path)
    (tmp_path / "README.md").write_text(card.replace("lost", "gone"))
    assert fingerprints(tmp_path) != known


def test_listing_of_a_file_is_that_file(tmp_path: Path) -> None:
    touched(tmp_path, "my_test.csv")
    listing = local_files(tmp_path / "my_test.csv")
    assert isinstance(listing, Listing)
    assert [(file.name, file.split) for file in listing.files] == [("my_test.csv", "test")]
