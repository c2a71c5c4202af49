from __future__ import annotations

import gc
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tuneproof import files
from tuneproof.errors import InputError
from tuneproof.formats.data_folder import read_manifest
from tuneproof.formats.example import TEST_PROMPTS, read_prompts
from tuneproof.prepdata import build as building
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.report import build_summary, inspect, overview

Rows = list[dict[str, str]]
Build = Callable[..., tuple[dict[str, Any], dict[str, Rows]]]


def ids(rows: Rows) -> set[str]:
    return {row["instruction"] for row in rows}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_row_lands_in_one_split_or_is_accounted_for(built: Build, rows: Rows) -> None:
    rows += [rows[0], {"instruction": "", "output": "x"}, {"instruction": "y z", "output": ""}]
    facts, found = built(rows)
    total = sum(map(len, found.values()))
    assert total + sum(facts["sources"]["jsonl"]["dropped"].values()) == len(rows)
    assert facts["sources"]["jsonl"]["dropped"] == {
        "empty answer": 1,
        "empty instruction": 1,
        "same id as an earlier row": 1,
    }


def test_records_have_exactly_the_documented_fields(built: Build, rows: Rows) -> None:
    _, found = built(rows)
    expected = {"id", "task", "instruction", "input", "output", "group"}
    assert all(set(row) == expected for split in found.values() for row in split)


def test_same_rows_and_seed_give_the_same_bytes_in_any_order(
    built: Build, rows: Rows, tmp_path: Path
) -> None:
    built(rows)
    first = {
        name: (tmp_path / "data" / name).read_bytes() for name in ("train.jsonl", "test.jsonl")
    }
    built(rows[::-1])
    again = {name: (tmp_path / "data" / name).read_bytes() for name in first}
    assert first == again


def test_seed_changes_the_order_and_never_the_split(built: Build, rows: Rows) -> None:
    _, one = built(rows, seed=1)
    _, two = built(rows, seed=2)
    assert one["train"] != two["train"]
    assert {name: ids(split) for name, split in one.items()} == {
        name: ids(split) for name, split in two.items()
    }


def test_row_keeps_its_split_when_the_source_grows(built: Build, rows: Rows) -> None:
    _, small = built(rows[:20], val_fraction=0.2, test_fraction=0.2)
    _, large = built(rows, val_fraction=0.2, test_fraction=0.2)
    for name in small:
        assert ids(small[name]) <= ids(large[name])


def test_test_split_is_as_large_as_ten_points_need_where_the_share_is_not_given(
    built: Build, tmp_path: Path
) -> None:
    many = [
        {"instruction": f"What is {n} of {n * 7919 % 997}?", "output": str(n)} for n in range(1100)
    ]
    facts, found = built(many)
    assert 100 <= len(found["test"]) <= 130
    note = "10% held out for test; --test-fraction chooses another share"
    assert facts["sources"]["jsonl"]["remarks"] == [note]
    assert "test records: a difference between two models is seen from about 9" in build_summary(
        tmp_path, read_manifest(tmp_path / "data")
    )


def test_groups_are_never_split(built: Build, rows: Rows) -> None:
    grouped = [{**row, "group": f"page {number % 12}"} for number, row in enumerate(rows)]
    _, found = built(grouped, val_fraction=0.3, test_fraction=0.3)
    places: dict[str, set[str]] = {}
    for name, split in found.items():
        for row in split:
            places.setdefault(row["group"], set()).add(name)
    assert len(places) == 12
    assert all(len(names) == 1 for names in places.values())
    assert {next(iter(names)) for names in places.values()} == {"train", "val", "test"}


def test_official_splits_are_kept_and_validation_is_taken_from_train(
    built: Build, rows: Rows
) -> None:
    facts, found = built({"train.jsonl": rows[:30], "dev.jsonl": rows[30:]}, val_fraction=0.3)
    assert ids(found["test"]) == ids(rows[30:])
    assert ids(found["train"]) | ids(found["val"]) == ids(rows[:30])
    assert found["val"]
    assert facts["sources"]["jsonl"]["dropped"] == {}


def test_same_numbering_of_two_official_files_is_no_leak(built: Build, rows: Rows) -> None:
    numbered = [{**row, "id": str(number % 20)} for number, row in enumerate(rows)]
    _, found = built({"train.jsonl": numbered[:20], "test.jsonl": numbered[20:]})
    assert len(found["train"]) + len(found["val"]) == 20
    assert len(found["test"]) == 20


def test_rows_with_an_id_that_is_none_are_all_kept_in_any_order(built: Build, rows: Rows) -> None:
    shared = [{**row, "id": f"customer {n % 3}"} for n, row in enumerate(rows)]
    facts, first = built([*shared, shared[0]], test_fraction=0.05)
    source = facts["sources"]["jsonl"]
    assert source["dropped"] == {"same id as an earlier row": 1}
    assert source["remarks"] == [
        "41 rows share their id with a row of other content; all are kept, with longer ids"
    ]
    assert sum(map(len, first.values())) == 40
    assert len({row["id"] for split in first.values() for row in split}) == 40
    assert built([*shared, shared[0]][::-1], test_fraction=0.05)[1] == first


def test_manifest_says_what_was_read_from_where_and_what_was_not(built: Build, rows: Rows) -> None:
    files_by_name = {"train.jsonl": rows[:30], "eval.jsonl": rows[30:], "labels.json": [{"a": "b"}]}
    facts, found = built(
        {name: [{**r, "x": 1} for r in part] for name, part in files_by_name.items()}
    )
    source = facts["sources"]["jsonl"]
    assert source["read"] == {"eval.jsonl": 10, "train.jsonl": 30}
    assert source["remarks"] == [
        "not read: labels.json (its name speaks of no split, as others do)",
        "not used: x",
    ]
    assert ids(found["test"]) == ids(rows[30:])


def test_repeat_of_a_test_row_is_dropped_from_train_as_a_duplicate(
    built: Build, rows: Rows
) -> None:
    repeated = {**rows[30], "output": "other words"}
    facts, found = built({"train.jsonl": [*rows[:30], repeated], "test.jsonl": rows[30:]})
    assert not ids(found["train"] + found["val"]) & ids(found["test"])
    assert facts["sources"]["jsonl"]["dropped"] in (
        {"train: duplicate of test": 1},
        {"validation: duplicate of test": 1},
    )


def test_group_of_a_held_out_row_is_dropped_from_train(built: Build, rows: Rows) -> None:
    train = [{**row, "group": f"g{number}"} for number, row in enumerate(rows[:30])]
    test = [{**row, "group": f"g{number}"} for number, row in enumerate(rows[30:])]
    facts, found = built({"train.jsonl": train, "test.jsonl": test}, val_fraction=0.0)
    assert len(found["train"]) == 20
    assert len(found["test"]) == 10
    reason = "train: its group stands in a held-out split"
    assert facts["sources"]["jsonl"]["dropped"] == {reason: 10}


def test_same_group_name_in_another_source_is_another_group(tmp_path: Path, rows: Rows) -> None:
    for name, part in (("train.jsonl", rows[:20]), ("test.jsonl", rows[20:30])):
        (tmp_path / "a").mkdir(exist_ok=True)
        lines = [json.dumps({**row, "group": "1"}) for row in part[:1]]
        lines += [json.dumps({**row, "group": f"{name} {n}"}) for n, row in enumerate(part[1:])]
        (tmp_path / "a" / name).write_text("\n".join(lines))
    (tmp_path / "b").mkdir()
    other = "\n".join(json.dumps({**row, "group": "1"}) for row in rows[30:])
    (tmp_path / "b" / "train.jsonl").write_text(other)
    source = (f"jsonl={tmp_path / 'a'}", f"csv={tmp_path / 'b'}")
    facts = build(BuildConfig(source=source, out=tmp_path / "data"))
    assert facts.sources["csv"].dropped == {}


def test_prompts_of_the_project_are_kept_out_of_train(built: Build, rows: Rows) -> None:
    prompt = read_prompts(TEST_PROMPTS)[0]
    leak = {"instruction": prompt.instruction.upper(), "input": prompt.input, "output": "x"}
    facts, found = built([*rows, leak], val_fraction=0.0, test_fraction=0.0)
    assert leak["instruction"] not in ids(found["train"] + found["val"])
    assert facts["sources"]["jsonl"]["dropped"] == {"train: duplicate of test.json": 1}


def test_dropped_repeats_are_kept_with_what_they_repeat(
    built: Build, rows: Rows, tmp_path: Path
) -> None:
    polite = {**rows[0], "instruction": f"Please, {rows[0]['instruction']}", "id": "polite"}
    facts, _ = built([*rows, polite], val_fraction=0.0, test_fraction=0.0)
    assert facts["sources"]["jsonl"]["dropped"] == {"train: near-duplicate of train": 1}
    (line,) = (tmp_path / "data" / "dropped.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert row["reason"] == "train: near-duplicate of train"
    assert {row["record"]["instruction"], row["repeats"]["instruction"]} == {
        rows[0]["instruction"],
        polite["instruction"],
    }
    assert "repeats jsonl" in inspect(tmp_path / "data", dropped=5)
    built(rows, val_fraction=0.0, test_fraction=0.0)
    assert (tmp_path / "data" / "dropped.jsonl").read_text() == ""
    assert inspect(tmp_path / "data", dropped=5).endswith("nothing was left out as a repeat")


@pytest.mark.parametrize(("duplicates", "kept"), [("near", 40), ("exact", 41), ("off", 42)])
def test_setting_decides_which_repeats_are_left_out(
    built: Build, rows: Rows, duplicates: str, kept: int
) -> None:
    repeats = [
        {**rows[0], "id": "a"},
        {**rows[1], "instruction": f"Please, {rows[1]['instruction']}"},
    ]
    settings = {"val_fraction": 0.0, "test_fraction": 0.0, "duplicates": duplicates}
    assert len(built([*rows, *repeats], **settings)[1]["train"]) == kept


def test_published_split_that_leaks_can_be_kept_and_is_counted(built: Build, rows: Rows) -> None:
    files = {"train.jsonl": rows[:33], "test.jsonl": rows[30:]}
    facts, records = built(files, val_fraction=0.0, duplicates="keep")
    assert (len(records["train"]), len(records["test"])) == (33, 10)
    notes = facts["sources"]["jsonl"]["notes"]
    assert notes == {"train: duplicate of test, and kept": 3}


def test_groups_shared_with_a_published_split_are_counted(built: Build, rows: Rows) -> None:
    train = [{**row, "group": f"g{number}"} for number, row in enumerate(rows[:30])]
    test = [{**row, "group": f"g{number}"} for number, row in enumerate(rows[30:])]
    facts, records = built(
        {"train.jsonl": train, "test.jsonl": test}, val_fraction=0.0, duplicates="keep"
    )
    assert len(records["train"]) == 30
    notes = facts["sources"]["jsonl"]["notes"]
    assert notes == {"train: its group stands in a held-out split, and kept": 10}


def test_repeats_within_the_test_split_stay_and_are_counted(built: Build, rows: Rows) -> None:
    polite = {**rows[0], "instruction": f"Please, {rows[0]['instruction']}", "id": "polite"}
    again = {**rows[1], "id": "again"}
    files = {"train.jsonl": rows[10:], "test.jsonl": [*rows[:10], polite, again]}
    facts, records = built(files, val_fraction=0.0)
    assert (len(records["train"]), len(records["test"])) == (30, 12)
    notes = facts["sources"]["jsonl"]["notes"]
    repeats = {"test: duplicate of test, and kept", "test: near-duplicate of test, and kept"}
    assert notes == dict.fromkeys(repeats, 1)
    assert facts["sources"]["jsonl"]["dropped"] == {}


def test_question_with_several_answers_stays_in_train_and_is_noted(
    built: Build, rows: Rows
) -> None:
    other = [{**row, "output": "something else"} for row in rows[:10]]
    facts, found = built([*rows, *other], val_fraction=0.0, test_fraction=0.0)
    assert len(found["train"]) == 50
    note = "train: same question as another, other answer"
    assert facts["sources"]["jsonl"]["notes"] == {note: 10}


def test_counterfactuals_are_all_kept(built: Build, rows: Rows) -> None:
    texts = [
        (f"{row['instruction']} and so on, {word}", word)
        for row in rows
        for word in ("good", "bad")
    ]
    labelled = [{"text": text, "label": label} for text, label in texts]
    facts, _ = built(labelled, text_field="text", label_field="label")
    assert facts["sources"]["jsonl"]["dropped"] == {}


def test_limit_draws_equal_numbers_per_label(built: Build, rows: Rows) -> None:
    labelled = [
        {"text": row["instruction"], "label": "rare" if n % 5 == 0 else "common"}
        for n, row in enumerate(rows)
    ]
    facts, found = built(
        labelled,
        limit=8,
        val_fraction=0.0,
        test_fraction=0.0,
        text_field="text",
        label_field="label",
    )
    assert sorted(row["output"] for row in found["train"]) == ["common"] * 4 + ["rare"] * 4
    assert facts["sources"]["jsonl"]["dropped"] == {"beyond --limit": 32}


def test_labels_read_off_the_data_are_fixed_in_alphabetical_order(built: Build, rows: Rows) -> None:
    labelled = [{"text": row["instruction"], "label": "cab"[n % 3]} for n, row in enumerate(rows)]
    facts, _ = built(labelled, text_field="text", label_field="label")
    assert facts["labels"] == {"jsonl": ["a", "b", "c"]}
    counted = facts["label_counts"]["jsonl"]
    assert sum(sum(splits.values()) for splits in counted.values()) == len(rows)


def test_manifest_vouches_for_the_files(built: Build, rows: Rows, tmp_path: Path) -> None:
    facts, found = built(rows)
    data = tmp_path / "data"
    assert (
        read_manifest(data).as_json() == json.loads((data / "manifest.json").read_text()) == facts
    )
    for name, stated in facts["files"].items():
        assert stated["sha256"] == files.fingerprint(data / name)
        assert stated["records"] == len(found[Path(name).stem])
    source = facts["sources"]["jsonl"]["files"]
    assert source == {"rows.jsonl": files.fingerprint(tmp_path / "source" / "rows.jsonl")}


def test_garbage_is_collected_again_after_a_build_and_after_a_failed_one(
    built: Build, rows: Rows
) -> None:
    built(rows)
    assert gc.isenabled()
    with pytest.raises(InputError):
        built([])
    assert gc.isenabled()


def test_interrupted_build_leaves_the_earlier_one_whole(
    built: Build, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(rows)
    before = contents(tmp_path / "data")
    written: list[Path] = []

    def interrupted(path: Path, mode: str) -> AbstractContextManager[Any]:
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        return files.atomic_write(path, mode)

    monkeypatch.setattr(building, "atomic_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        built(rows[:30], seed=1)
    assert len(written) == 3
    assert contents(tmp_path / "data") == before


def test_rows_with_halves_of_surrogate_pairs_are_written(built: Build, rows: Rows) -> None:
    _, found = built([{**row, "output": "cut \ud83d"} for row in rows])
    assert {row["output"] for row in found["train"]} == {"cut \N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    ("files_by_name", "fault"),
    [
        ({"a.jsonl": []}, "holds no usable row: it is empty"),
        ({"a.jsonl": [{"instruction": "a", "output": ""}]}, "no usable row: 1 empty answer"),
        ({"test.jsonl": [{"instruction": "a", "output": "b"}]}, "train on: jsonl: 1 in test"),
        ({"a.jsonl": [{"instruction": "a"}]}, r"a\.jsonl:1: no field 'output'; it has instruction"),
    ],
)
def test_unusable_rows_are_one_error_and_leave_no_folder(
    built: Build, tmp_path: Path, files_by_name: dict[str, Rows], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        built(files_by_name)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (("doly",), r"unknown source 'doly'. Did you mean 'dolly'\?"),
        (("sample", "sample"), "source 'sample' is given twice"),
        (("csv",), "source 'csv' needs a file or folder: --source csv=PATH"),
        (("sample", "csv=nowhere.csv"), r"no such file or folder: nowhere\.csv"),
    ],
)
def test_wrong_source_is_one_error(tmp_path: Path, source: tuple[str, ...], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        build(BuildConfig(source=source, out=tmp_path / "data"))


def test_field_options_without_a_source_that_takes_them_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for the sources csv, jsonl and hub only"):
        build(BuildConfig(source=("sample",), id_field="number", out=tmp_path))


@pytest.mark.parametrize("name", ["train.jsonl", "manifest.json"])
def test_folder_that_belongs_to_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=f"holds {name} that `prepdata build` did not write"):
        build(BuildConfig(source=("sample",), out=tmp_path))
    assert contents(tmp_path) == {name: b"{}"}


def test_other_files_in_the_folder_stay(built: Build, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("mine")
    built(rows)
    assert (tmp_path / "data" / "README.md").read_text() == "mine"
    assert len(contents(tmp_path / "data")) == 6


def test_notes_on_programs_stand_in_manifest_and_summary_of_their_source_only(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    page = {"table": [["sales", "2", "3"]], "pre_text": [], "post_text": []}
    asked = [
        {**page, "id": f"page-{n}", "filename": f"page {n}", "question": f"what of {n}?",
         "answer": answer, "program": "table_sum(sales, none)", "exe_ans": 5.0}
        for n, answer in enumerate(["5", "6", "5"])
    ]  # fmt: skip
    (tmp_path / "finqa_train.json").write_text(json.dumps(asked))
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources = (f"finqa={tmp_path / 'finqa_train.json'}", f"jsonl={tmp_path / 'own.jsonl'}")
    out = tmp_path / "data"
    manifest = build(BuildConfig(source=sources, out=out, val_fraction=0, test_fraction=0))
    assert manifest.sources["finqa"].notes == {
        "program executed": 3,
        "program that comes to something else than the written answer": 1,
    }
    assert manifest.sources["jsonl"].notes == {}
    assert "noted of the rows read\n  finqa  3  program executed\n  finqa  1  pro" in overview(
        manifest
    )
    written = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert {row.get("executed") for row in written} == {None, "5"}
    assert {row.get("executed") for row in written if row["task"] == "finqa"} == {"5"}
