from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.finding import SEVERITIES, finding_lines
from tuneproof.formats.data_folder import DataFolder, open_to_train
from tuneproof.formats.example import TEST_PROMPTS, read_prompts
from tuneproof.prepdata.build import build
from tuneproof.prepdata.checks.advice import DATA
from tuneproof.prepdata.checks.data import check_data, check_lengths, check_near
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prompts.template import load
from tuneproof.tuning.checks.advice import RUN
from tuneproof.tuning.doctor import examine

Rows = dict[str, list[dict[str, str]]]
MOODS = {"mood": ["good", "bad"]}


@pytest.fixture
def found(
    write_rows: Callable[..., Path], severities: Callable[[Any], dict[str, str]]
) -> Callable[..., dict[str, str]]:
    return lambda rows, labels=None: severities(examine(data=write_rows(rows, labels)))


Found = Callable[..., dict[str, str]]


def test_healthy_data_is_clean(rows: Rows, labelled: Rows, found: Found) -> None:
    assert found(rows) == {}
    assert found(labelled, MOODS) == {}


def test_exact_leaks_are_found_whatever_case_and_punctuation(rows: Rows, found: Found) -> None:
    shout = rows["test"][3]["instruction"].upper().replace(" ", ",  ") + "!"
    rows["train"][7]["instruction"] = shout
    assert found(rows) == {"leak-exact": "warning"}  # one of 120
    for number in range(9):
        rows["train"][number]["instruction"] = rows["test"][number]["instruction"]
    assert found(rows) == {"leak-exact": "error"}


def test_leaks_into_validation_are_warned_of(rows: Rows, found: Found) -> None:
    for number in range(9):
        rows["train"][number]["instruction"] = rows["val"][number]["instruction"]
    assert found(rows) == {"leak-exact": "warning"}


def test_other_figures_are_another_question(rows: Rows, found: Found) -> None:
    for number in range(9):
        rows["train"][number]["instruction"] = f"What is {number} + 4?"
        rows["test"][number]["instruction"] = f"What is {number} - 4?"
    assert found(rows) == {}


def test_near_duplicates_are_found(rows: Rows, found: Found) -> None:
    for number in range(9):
        asked = rows["test"][number]["instruction"]
        rows["train"][number]["instruction"] = f"{asked}, please"
    assert found(rows) == {"leak-near": "error"}


def test_files_as_built_are_not_compared_again_and_changed_ones_are(
    rows: Rows, tmp_path: Path, severities: Callable[[Any], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, part in rows.items():
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    out = tmp_path / "out"
    build(BuildConfig(source=(f"jsonl={tmp_path}",), out=out))
    with monkeypatch.context() as patched:
        patched.setattr("tuneproof.prepdata.checks.data.DuplicateIndex", None)
        assert list(check_near(DataFolder(out))) == []
    twin = json.loads((out / "test.jsonl").read_text().splitlines()[0])
    with (out / "train.jsonl").open("a") as handle:
        handle.write(json.dumps({**twin, "instruction": twin["instruction"] + " please"}) + "\n")
    assert severities(check_near(DataFolder(out))) == {"leak-near": "warning"}


@pytest.mark.parametrize("settings", [{"duplicates": "exact"}, {"near_threshold": 0.98}])
def test_a_build_that_was_less_strict_is_looked_at(
    rows: Rows, tmp_path: Path, severities: Callable[[Any], dict[str, str]], settings: Any
) -> None:
    first = rows["test"][0]
    longer = first["instruction"] + " please now"
    rows["train"].append({**first, "id": "near", "instruction": longer})
    for name, part in rows.items():
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    build(BuildConfig(source=(f"jsonl={tmp_path}",), out=tmp_path / "out", **settings))
    found = severities(check_near(DataFolder(tmp_path / "out")))
    assert found == {"leak-near": "warning"}


def test_very_many_are_compared_in_part_which_is_told(
    rows: Rows, write_rows: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.prepdata.checks.data.COMPARED", 60)
    (note,) = check_near(DataFolder(write_rows(rows)))
    assert (note.code, note.severity) == ("near-sampled", "note")
    assert note.evidence.startswith("60 of 200 train records were compared with test")
    rows["train"][3]["instruction"] = rows["test"][9]["instruction"] + ", please"
    (leak,) = check_near(DataFolder(write_rows(rows)))
    assert leak.evidence.startswith("1 of 120 (0.833 %) test records are nearly in train (60 of 20")


def test_groups_on_both_sides_are_found(rows: Rows, found: Found) -> None:
    for name in ("train", "test"):
        for number, row in enumerate(rows[name]):
            row["group"] = f"page {number % 110} of {name}"
    assert found(rows) == {}
    for number in range(5):
        rows["train"][number]["group"] = rows["test"][number]["group"]
    assert found(rows) == {"leak-group": "error"}


def test_ids_that_both_files_count_from_one_are_no_group(rows: Rows, found: Found) -> None:
    for part in rows.values():
        for number, row in enumerate(part):
            row["id"] = str(number)
    assert found(rows) == {}


def test_prompts_of_the_evaluation_are_found(rows: Rows, found: Found) -> None:
    prompt = read_prompts(TEST_PROMPTS)[0]
    rows["train"][5] |= {"instruction": prompt.instruction, "input": prompt.input}
    assert found(rows) == {"prompts-in-train": "error"}


def test_misspelt_labels_are_found(labelled: Rows, found: Found) -> None:
    labelled["train"][4]["output"] = "godo"
    assert found(labelled, MOODS) == {"label-unknown": "error"}


@pytest.mark.parametrize(
    ("spelling", "severity"), [("wonderfull", "warning"), ("Wonderful.", "error")]
)
def test_labels_alike_are_found_even_in_the_manifest(
    labelled: Rows, found: Found, spelling: str, severity: str
) -> None:
    for part in labelled.values():
        for row in part:
            row["output"] = row["output"].replace("good", "wonderful")
    labels = {"mood": ["wonderful", "bad", spelling]}
    assert found(labelled, labels) == {}
    labelled["train"][2]["output"] = spelling
    assert found(labelled, labels) == {"labels-alike": severity}
    assert found(labelled, None)["labels-alike"] == severity


def test_ratings_are_not_alike(labelled: Rows, found: Found) -> None:
    for part in labelled.values():
        for number, row in enumerate(part):
            row["output"] = "rating 1" if number % 100 == 0 else "rating 2"
    assert "labels-alike" not in found(labelled, {"mood": ["rating 1", "rating 2"]})


def test_labels_that_train_lacks_are_found(labelled: Rows, found: Found) -> None:
    labels = {"mood": ["good", "bad", "mixed"]}
    labelled["test"][2]["output"] = "mixed"
    assert found(labelled, labels) == {"label-unseen": "warning"}
    for number in range(9):
        labelled["test"][number]["output"] = "mixed"
    assert found(labelled, labels) == {"label-unseen": "error"}


def test_swapped_labels_are_found(labelled: Rows, found: Found) -> None:
    for row in labelled["test"]:
        row["output"] = {"good": "bad", "bad": "good"}[row["output"]]
    assert found(labelled, MOODS) == {"labels-swapped": "error"}


def test_contradictions_are_found(labelled: Rows, found: Found) -> None:
    for number in range(4):
        twin = copy.deepcopy(labelled["train"][number])
        twin["output"] = {"good": "bad", "bad": "good"}[twin["output"]]
        labelled["train"].append(twin)
    assert found(labelled, MOODS) == {"labels-contradict": "warning"}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, {"no-test": "note"}),
        (9, {"few-test-items": "warning"}),
        (60, {"few-test-items": "note"}),
    ],
)
def test_small_tests_are_told(
    rows: Rows, found: Found, count: int, expected: dict[str, str]
) -> None:
    rows["test"] = rows["test"][:count]
    assert found(rows) == expected


def test_end_marks_in_outputs_are_found(rows: Rows, found: Found) -> None:
    rows["train"][3]["output"] += " <|endoftext|>"
    assert found(rows) == {"eos-in-output": "warning"}


def test_records_that_do_not_fit_are_counted(
    rows: Rows, write_rows: Callable[..., Path], tokenizer: Any,
    severities: Callable[[Any], dict[str, str]],
) -> None:  # fmt: skip
    def found(limit: int) -> list[Any]:
        return list(check_lengths(DataFolder(write_rows(rows)), load(), tokenizer, limit, 2048))

    assert found(2000) == []
    rows["train"][1]["output"] = "far too long " * 1000
    rows["train"][2]["input"] = "far too long " * 1000
    findings = found(2000)
    assert severities(findings) == {"records-too-long": "note", "inputs-shortened": "note"}
    assert "train-1 ..." in findings[0].evidence
    assert findings[0].mend.startswith("`tune run --max-length 2048`")
    assert severities(found(30)) == {"records-too-long": "warning"}


def test_conversation_that_is_cut_is_not_left_out(
    rows: Rows, write_rows: Callable[..., Path], tokenizer: Any,
    severities: Callable[[Any], dict[str, str]],
) -> None:  # fmt: skip
    talk = [
        {"role": role, "content": f"{role} says something of number {number}"}
        for number in range(40)
        for role in ("user", "assistant")
    ]
    rows["train"][1] |= {"messages": talk}
    rows["test"][1] |= {"messages": [*talk[:2], {"role": "assistant", "content": "far " * 900}]}
    findings = check_lengths(DataFolder(write_rows(rows)), load(), tokenizer, 400, 2048)
    (found,) = [one for one in findings]
    assert (found.code, found.severity) == ("inputs-shortened", "note")
    assert "1 of 200" in found.evidence and "test" not in found.evidence


def test_before_a_training_only_warnings_are_told_and_nothing_slow_is_done(
    rows: Rows, write_rows: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.prepdata.checks.data.DuplicateIndex", None)
    monkeypatch.setattr("tuneproof.inference.baselines.predict", None)
    rows["test"] = []
    folder = write_rows(rows)
    assert finding_lines(check_data(open_to_train(folder)), notes=False) == []
    rows["train"][3]["output"] += "</s>"
    folder = write_rows(rows)
    lines = finding_lines(check_data(open_to_train(folder)), notes=False)
    assert lines[0].startswith("warning: eos-in-output: 1 of 200 (0.5 %) training outputs hold")
    assert len(lines) == 3


def test_every_code_says_what_to_do() -> None:
    for code, advice in {**DATA, **RUN}.items():
        assert code == code.lower()
        assert advice.severity in SEVERITIES
        assert advice.usually.endswith(".")


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to look at; give --data, --run"):
        examine()
    with pytest.raises(InputError, match=r"holds no train\.jsonl"):
        examine(data=tmp_path)
