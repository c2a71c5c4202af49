"""A file of prompts is a labelled task when the manifest beside it says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import read_prompts
from tuneproof.inference.task import find_task, train_examples, train_file

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Write a test file, a train file and a manifest of the task `river`."""

    def write(rows: list[dict[str, str]], labels: dict[str, list[str]]) -> Path:
        value = {"schema": "tuneproof/data@1", "labels": labels}
        (tmp_path / "manifest.json").write_text(json.dumps(value))
        for name in ("train", "test"):
            lines = [
                {
                    "id": f"{name}-{n}",
                    "task": "river",
                    "instruction": "Ice?",
                    "input": f"{n}",
                    **row,
                }
                for n, row in enumerate(rows)
            ]
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        return tmp_path / "test.jsonl"

    return write


def task_of(file: Path) -> Any:
    return find_task(file, read_prompts(file))


def test_task_has_the_labels_in_the_manifests_order(folder: Folder) -> None:
    file = folder([{"output": "mud"}], {"river": ["mud", "ice"]})
    task = task_of(file)
    assert [record.output for record in train_examples(train_file(file), file, task)] == ["mud"]
    assert (task.name, task.labels) == ("river", ("mud", "ice"))


def test_only_the_tasks_own_records_are_learnt_from(folder: Folder) -> None:
    file = folder([{"output": "mud"}], {"river": ["mud", "ice"]})
    train = file.with_name("train.jsonl")
    train.write_text(train.read_text() + '{"task": "sea", "instruction": "a", "output": "b"}\n')
    assert len(train_examples(train, file, task_of(file))) == 1
    assert len(train_examples(train, file, None)) == 2
    elsewhere = file.parent / "elsewhere" / "prompts.json"
    assert [record.task for record in train_examples(train, elsewhere, None)] == ["sea"]
    train.unlink()
    assert train_examples(train, file, task_of(file)) == []


@pytest.mark.parametrize("labels", [{}, {"sea": ["mud", "ice"]}])
def test_task_without_labels_is_none(folder: Folder, labels: dict[str, list[str]]) -> None:
    assert task_of(folder([{"output": "mud"}], labels)) is None


def test_several_tasks_in_one_file_are_not_scored(folder: Folder) -> None:
    rows = [{"output": "mud"}, {"output": "mud", "task": "sea"}]
    assert task_of(folder(rows, {"river": ["mud", "ice"]})) is None


def test_file_without_a_manifest_has_no_labels(tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    file.write_text('["Ice?"]')
    assert task_of(file) is None


def test_reference_outside_the_set_names_prompt_and_nearest_label(folder: Folder) -> None:
    file = folder([{"output": "mud"}, {"output": "mut"}], {"river": ["mud", "ice"]})
    with pytest.raises(InputError, match=r"test-1: unknown label 'mut'. Did you mean 'mud'\?"):
        task_of(file)
