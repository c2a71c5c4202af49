"""Any data set of the Hub; `datasets` takes a folder of the same relative path for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import Manifest
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.report import reading

COLOURS = ("amber", "blue", "coral", "denim", "ebony", "flax", "green", "henna")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for the data set who/what."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tuneproof.hub._answers", lambda: False)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "who" / "what"
    folder.mkdir(parents=True)
    return folder


def made(*sources: str) -> tuple[Manifest, dict[str, list[dict[str, str]]]]:
    manifest = build(BuildConfig(source=sources, out=Path("data"), duplicates="off"))
    return manifest, {
        split: [json.loads(line) for line in Path(f"data/{split}.jsonl").read_text().splitlines()]
        for split in ("train", "val", "test")
    }


def test_texts_and_class_labels_need_no_option_and_keep_their_splits(clone: Path) -> None:
    import datasets

    features = datasets.Features(
        text=datasets.Value("string"),
        label=datasets.ClassLabel(names=["lost_card", "top_up"]),
        source=datasets.Value("string"),
    )
    for split, count in (("train", 8), ("test", 4)):
        rows = [
            {"text": f"{split} {COLOURS[n]}", "label": n % 2, "source": "x"} for n in range(count)
        ]
        (clone / "data").mkdir(exist_ok=True)
        table = datasets.Dataset.from_list(rows, features=features)
        table.to_parquet(clone / "data" / f"{split}-00000-of-00001.parquet")
    manifest, rows_of = made("hub:who/what")
    name = "hub:who/what"
    assert manifest.labels == {name: ["lost_card", "top_up"]}
    assert manifest.sources[name].origin == "who/what"
    assert manifest.sources[name].read == {"who/what 'train'": 8, "who/what 'test'": 4}
    assert sorted(row["input"] for row in rows_of["test"]) == [f"test {c}" for c in COLOURS[:4]]
    assert {row["output"] for row in rows_of["test"]} == {"lost_card", "top_up"}
    assert {row["task"] for row in rows_of["train"]} == {name}
    assert "not used: source" in reading(manifest)
    assert "'text' is read as a text, 'label' as its label" in reading(manifest)


def test_conversations_are_read_and_one_split_is_split_here(clone: Path) -> None:
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"Where is {colour}?"},
                {"role": "assistant", "content": f"On shelf {n}."},
                {"role": "user", "content": "Since when?"},
                {"role": "assistant", "content": f"Since {n} o'clock."},
            ],
            "prompt_id": str(n),
        }
        for n, colour in enumerate(COLOURS)
    ]
    (clone / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    manifest, rows_of = made("hub:who/what")
    rows = [row for part in rows_of.values() for row in part]
    assert sorted(row["messages"][0]["content"] for row in rows) == [
        f"Where is {colour}?" for colour in COLOURS
    ]
    assert "not used: prompt_id" in manifest.sources["hub:who/what"].remarks


def test_configuration_is_chosen_and_a_missing_one_is_named(clone: Path) -> None:
    part = "- config_name: {0}\n  data_files: {0}.jsonl\n"
    head = f"---\nconfigs:\n{part.format('old')}{part.format('new')}---\n"
    (clone / "README.md").write_text(head)
    for name in ("old", "new"):
        lines = [{"question": f"{name} {colour}?", "answer": colour} for colour in COLOURS]
        (clone / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, rows_of = made("hub:who/what:new")
    asked = {row["instruction"] for part in rows_of.values() for row in part}
    assert asked == {f"new {colour}?" for colour in COLOURS}
    with pytest.raises(InputError, match=r"cannot load 'who/what': Config name is missing.*'old'"):
        made("hub:who/what")


@pytest.mark.usefixtures("clone")
def test_data_set_that_cannot_be_had_says_what_to_type_instead() -> None:
    with pytest.raises(InputError) as caught:
        made("hub:who/else")
    assert str(caught.value) == (
        "cannot load 'who/else': the Hub does not answer, and the cache does not hold it. "
        "Give a local copy instead: --source jsonl=PATH"
    )


def test_path_and_wrong_names_are_errors() -> None:
    with pytest.raises(InputError, match="what begins with hub: has no path; type jsonl=x"):
        made("hub:who/what=x")
    with pytest.raises(InputError, match="'who what' is no data set of the Hub"):
        made("hub:who what")
