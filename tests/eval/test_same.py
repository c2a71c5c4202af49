from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.eval.cli import main


def comparison(path: Path, served: list[str], **details: Any) -> Path:
    """Write a comparison of a run, right in all but the last three items, and a served form."""
    run = ["Mud."] * (len(served) - 3) + ["Ice."] * 3
    document = {
        "schema": "tuneproof/comparison@1",
        "variants": [
            {"name": "base", "model": "tiny"},
            {"name": "mine", "model": "tiny", "prompt_tokens": 12.0},
            {"name": "mine-q8", "kind": "model", "prompt_tokens": 12.0, **details},
        ],
        "items": [
            {
                "id": f"r{number}",
                "prompt": f"What does river {number} carry?",
                "reference": "Mud.", "task": "river",
                "answers": {
                    "base": {"text": "A river."}, "mine": {"text": one}, "mine-q8": {"text": other},
                },
            }
            for number, (one, other) in enumerate(zip(run, served, strict=True))
        ],
    }  # fmt: skip
    path.write_text(json.dumps(document))
    return path


def same(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["same", str(file), "--run", "mine", *arguments])


ALIKE = ["Mud."] * 97 + ["Ice."] * 3
SERVES = {"run": "mine", "prompts": 100, "same_prompts": 100}


def test_equal_answers_to_equal_prompts_are_the_same(tmp_path: Path) -> None:
    done = same(comparison(tmp_path / "c.json", ALIKE, serves=SERVES))
    assert done.exit_code == 0, done.output
    assert done.output.startswith("mine-q8 and mine: the same within ")
    assert "100 of 100 answers are the same" in done.output


def test_equal_texts_with_other_labels_are_different(tmp_path: Path) -> None:
    file = comparison(tmp_path / "c.json", ["Sure"] * 100, serves=SERVES)
    document = json.loads(file.read_text())
    document["labels"] = ["Mud.", "Ice."]
    for item in document["items"]:
        for name, label in (("base", "Ice."), ("mine", "Mud."), ("mine-q8", "Ice.")):
            chances = {"Mud.": 0.9, "Ice.": 0.1} if label == "Mud." else {"Mud.": 0.1, "Ice.": 0.9}
            item["answers"][name] = {
                "text": "Sure", "label": label, "label_probabilities": chances,
            }  # fmt: skip
    file.write_text(json.dumps(document))
    done = same(file)
    assert done.exit_code == 1
    assert "mine-q8 and mine: different within" in done.output
    assert "; 0 of 100 answers are the same" in done.output


def test_other_answers_are_different(tmp_path: Path) -> None:
    done = same(comparison(tmp_path / "c.json", ["Mud."] * 40 + ["Ice."] * 60, serves=SERVES))
    assert done.exit_code == 1
    assert "mine-q8 and mine: different within" in done.output


def test_few_answers_show_nothing_and_the_number_needed_is_said(tmp_path: Path) -> None:
    served = ["Ice.", *["Mud."] * 16, "Ice.", "Ice.", "Mud."]
    done = same(comparison(tmp_path / "c.json", served, serves=SERVES))
    assert done.exit_code == 1
    assert "not shown to be the same within" in done.output
    assert "equal variants need about" in done.output


@pytest.mark.parametrize(
    ("details", "message"),
    [
        (
            {"serves": {**SERVES, "same_prompts": 99, "first_difference": "r7, from token 3: [1]"}},
            "asked otherwise: only 99 of 100 prompts are the same tokens; first: r7, from token 3",
        ),
        ({"serves": {**SERVES, "stops_missing": ["<|im_end|>"]}}, "'<|im_end|>' ends no answer"),
        ({"prompt_tokens": 15.5}, "a prompt has 15.5 tokens in the mean, and the run's 12"),
    ],
)
def test_equal_answers_to_other_prompts_do_not_pass(
    details: dict[str, Any], message: str, tmp_path: Path
) -> None:
    done = same(comparison(tmp_path / "c.json", ALIKE, **details))
    assert done.exit_code == 1
    assert message in done.output


def test_lengths_of_prompts_are_not_compared_where_some_failed(tmp_path: Path) -> None:
    file = comparison(tmp_path / "c.json", ALIKE, serves=SERVES, prompt_tokens=11.9)
    assert "a prompt has 11.9 tokens in the mean, and the run's 12" in same(file).output
    document = json.loads(file.read_text())
    document["items"][0]["answers"]["mine-q8"] = {"text": None, "error": "refused"}
    file.write_text(json.dumps(document))
    assert "tokens in the mean" not in same(file).output


def test_a_metric_that_is_asked_for_is_known(tmp_path: Path) -> None:
    file = comparison(tmp_path / "c.json", ALIKE, serves=SERVES)
    assert same(file, "--metric", "short=max-length:5", "--primary", "short").exit_code == 0
    assert same(file, "--metric", "nonsense:1").exit_code == 2


def test_what_cannot_be_judged_is_one_line(tmp_path: Path) -> None:
    file = comparison(tmp_path / "c.json", ALIKE, serves={**SERVES, "run": "other"})
    done = same(file)
    assert done.exit_code == 2
    assert "no variant is a served form of 'mine'; compare one by" in done.output
    assert "unknown variant 'mine-q9'" in same(file, "--variant", "mine-q9").output


def test_a_metric_without_a_value_for_both_shows_nothing(tmp_path: Path) -> None:
    file = comparison(tmp_path / "c.json", ["Ice."] * len(ALIKE), serves=SERVES)
    document = json.loads(file.read_text())
    for item in document["items"]:
        item["reference"] = None
        item["answers"]["base"]["finish_reason"] = item["answers"]["mine"]["finish_reason"] = "eos"
    file.write_text(json.dumps(document))
    done = same(file)
    assert done.exit_code == 2, done.output
    assert "no item has a value of Stops by itself for both 'mine' and 'mine-q8'" in done.output
