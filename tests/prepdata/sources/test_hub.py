from __future__ import annotations

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.hub import HubName, read_hub
from tuneproof.prepdata.sources.rows import ReadLog


def test_hub_rows_carry_their_split_and_what_has_none_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: True)
    splits = {"train": [{"a": 1}], "test": [{"a": 2}], "unsupervised": [{"a": 3}]}
    monkeypatch.setattr("datasets.load_dataset", lambda *_: splits)
    log = ReadLog()
    read = list(read_hub(HubName.parse("who/what"), "name", log))
    assert [row.split for row in read] == ["train", "test"]
    assert read[0].where == "who/what/train row 1"
    assert log.remarks == [
        "not read: split 'unsupervised' (its name speaks of no split, as others do)"
    ]


def test_named_split_of_the_hub_is_read_alone_and_split_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: True)
    asked = []

    def load(*names: str) -> dict[str, list[dict[str, int]]]:
        asked.append(names)
        return {
            "train_sft": [{"a": 1}], "test_sft": [{"a": 2}], "test_gen": [{"a": 3}],
            "other": [{"a": 4}],
        }  # fmt: skip

    monkeypatch.setattr("datasets.load_dataset", load)
    log = ReadLog()
    (row,) = read_hub(HubName.parse("who/what:main@test_sft"), "name", log)
    assert (row.values, row.split) == ({"a": 2}, None)
    assert asked == [("who/what", "main")]
    assert log.remarks == [
        "not read: split 'train_sft' (not asked for)",
        "not read: split 'test_gen' (not asked for)",
        "not read: split 'other' (not asked for)",
    ]
    two = read_hub(HubName.parse("who/what@train_sft+test_sft"), "name", ReadLog())
    assert [row.split for row in two] == ["train", "test"]
    log = ReadLog()
    named = list(read_hub(HubName.parse("who/what@train_sft+other"), "name", log))
    assert [(row.values["a"], row.split) for row in named] == [(1, "train"), (4, None)]
    assert [remark for remark in log.remarks if "other" in remark] == []
    with pytest.raises(InputError, match="has no split 'sft'; it has train_sft, test_sft, test_ge"):
        list(read_hub(HubName.parse("who/what@sft"), "name", ReadLog()))


@pytest.mark.parametrize("name", ["", "a b/c", "a/b/c", "a/b:", "a/b@", "a/b:c:d e"])
def test_name_that_is_none_of_the_hub_says_what_to_type(name: str) -> None:
    with pytest.raises(InputError, match="is no data set of the Hub; type hub:OWNER/NAME, hub:OWN"):
        HubName.parse(name)


@pytest.mark.parametrize("name", ["imdb", "a/b", "a/b:c", "a.b/c-d:e-f@test", "a/b@train+test"])
def test_name_of_the_hub_is_written_as_it_is_typed(name: str) -> None:
    assert str(HubName.parse(name)) == name


@pytest.mark.parametrize(("source", "copy"), [("dolly", "dolly"), ("hub:who/what", "jsonl")])
def test_hub_fault_is_one_line_that_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, source: str, copy: str
) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: True)

    def missing(*names: str) -> None:
        raise FileNotFoundError("no such dataset")

    monkeypatch.setattr("datasets.load_dataset", missing)
    with pytest.raises(InputError) as caught:
        list(read_hub(HubName.parse("who/what"), source, ReadLog()))
    assert str(caught.value) == (
        f"cannot load 'who/what': no such dataset. Give a local copy instead: --source {copy}=PATH"
    )
