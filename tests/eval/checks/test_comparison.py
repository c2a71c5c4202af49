"""Every fault is planted in a healthy comparison and found by its code."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.checks.comparison import check_comparison, lines_of
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.finding import OF_BASE, SEVERITIES, Finding
from tuneproof.formats.comparison import read_comparison

LABELS = ["up", "down", "flat"]
Document = dict[str, Any]


def answer(text: str | None, reason: str = "eos", **more: Any) -> dict[str, Any]:
    return {"text": text, "tokens": 5, "finish_reason": reason, **more}


def document(items: list[Document], labels: list[str] | None = None) -> Document:
    return {
        "schema": "tuneproof/comparison@1",
        "decoding": {"do_sample": False, "max_new_tokens": 200},
        "template": "### Instruction:\n{{ instruction }}\n{{ input }}\n### Response:\n",
        "labels": labels,
        "variants": [{"name": "base"}, {"name": "tuned"}],
        "items": items,
    }


@pytest.fixture
def texts() -> Document:
    """A hundred answered questions: the tuned variant is right, the base nearly."""
    return document(
        [
            {
                "id": f"q{number}",
                "task": "river",
                "prompt": f"What does river {number} carry?",
                "reference": f"mud and {number} stones",
                "answers": {
                    "base": answer(f"it carries {number} fish"),
                    "tuned": answer(f"mud and {number} stones"),
                },
            }
            for number in range(100)
        ]
    )


@pytest.fixture
def labelled() -> Document:
    """A hundred and twenty labels: the tuned variant is wrong in one of six, the base in half."""
    rows = []
    for number in range(120):
        right, other = LABELS[number % 3], LABELS[(number + 1) % 3]
        given = {"base": other if number % 2 else right, "tuned": right if number % 6 else other}
        rows.append(
            {
                "id": f"q{number}",
                "task": "topics",
                "prompt": f"Which way at crossing {number}?",
                "reference": right,
                "answers": {name: answer(label, label=label) for name, label in given.items()},
            }
        )
    return document(rows, LABELS)


@pytest.fixture
def found(tmp_path: Path) -> Callable[[Any], list[Finding]]:
    """Write a document, read it as a comparison and check it."""

    def check(value: Any) -> list[Finding]:
        file = tmp_path / "model_comparison.json"
        file.write_text(json.dumps(value))
        return check_comparison(read_comparison(file))

    return check


Found = Callable[[Any], list[Finding]]


def severities(findings: list[Finding]) -> dict[str, str]:
    """Return the worst severity of each code; the findings come worst first."""
    return {finding.code: finding.severity for finding in reversed(findings)}


def each(value: Document, change: Callable[[Document, int], None], name: str = "tuned") -> Document:
    """Change every item's answer of a variant."""
    changed = copy.deepcopy(value)
    for number, item in enumerate(changed["items"]):
        change(item["answers"][name], number)
    return changed


def test_healthy_comparisons_are_clean(texts: Document, labelled: Document, found: Found) -> None:
    assert found(texts) == []
    assert found(labelled) == []


def beginning(*words: str) -> Callable[[Document, int], None]:
    def change(row: Document, number: int) -> None:
        row["text"] = f"{words[number % len(words)]} {row['text']}"

    return change


LOOP = "round and round it goes " * 9


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        (beginning("Input:", "Output:"), "template-words", "error"),
        (beginning("### Response:"), "template-words", "error"),
        (beginning("Input: Output:"), "template-words", "error"),
        (beginning("**Instruction:**"), "template-words", "error"),
        (lambda row, n: row.update(text=LOOP), "answers-loop", "warning"),
        (lambda row, n: row.update(finish_reason="length"), "not-stopping", "error"),
        (lambda row, n: n % 3 and row.update(finish_reason="length"), "not-stopping", "warning"),
        (lambda row, n: n % 5 or row.update(finish_reason="length"), "answers-cut", "note"),
        (lambda row, n: n % 4 or row.update(text=" "), "empty-answers", "warning"),
        (lambda row, n: row.update(text=f"it carries {n} fish"), "tuned-equals-base", "error"),
        (lambda row, n: row.update(text="no idea"), "base-is-better", "warning"),
    ],
)
def test_faults_of_the_answers(
    texts: Document, found: Found, change: Any, code: str, severity: str
) -> None:
    if code == "base-is-better":
        texts = each(texts, lambda row, n: row.update(text=f"{n} stones"), "base")
    findings = found(each(texts, change))
    assert severities(findings)[code] == severity


def test_the_words_are_named_and_an_answer_quoted(texts: Document, found: Found) -> None:
    (finding,) = (
        each_found
        for each_found in found(each(texts, beginning("Input:", "### Output:")))
        if each_found.code == "template-words"
    )
    assert finding.evidence == (
        "tuned: 100 of 100 (100 %) answers begin with words of a prompt template: "
        '"Input:" (50), "### Output:" (50); q0: \'Input: mud and 0 stones\''
    )
    assert len(finding.lines()) == 3


def test_words_that_the_references_begin_with_are_no_fault(texts: Document, found: Found) -> None:
    for item in texts["items"]:
        item["reference"] = f"Answer: {item['reference']}"
    assert found(each(texts, beginning("Answer:"))) == []


def test_faults_of_the_base_are_notes(texts: Document, found: Found) -> None:
    def spoil(row: Document, number: int) -> None:
        row.update(text=f"### Input: {LOOP}", finish_reason="length")

    codes = (
        "template-words", "answers-loop", "not-stopping", "one-answer-for-all",
        "tokens-unlike-texts",
    )  # fmt: skip
    expected = dict.fromkeys(codes, "note")
    findings = found(each(texts, spoil, "base"))
    assert severities(findings) == expected
    assert {(each.usually, each.mend) for each in findings} == {OF_BASE}


def test_long_references_mean_that_the_limit_cuts(texts: Document, found: Found) -> None:
    texts["decoding"]["max_new_tokens"] = 5
    for item in texts["items"]:
        item["reference"] = "one two three four five six seven eight nine"
    findings = found(each(texts, lambda row, n: row.update(finish_reason="length")))
    assert severities(findings)["answers-cut"] == "warning"
    assert "--max-new-tokens 24" in next(f.mend for f in findings if f.code == "answers-cut")


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({"decoding": {"do_sample": False, "max_new_tokens": 50}}, "decoding-differs"),
        ({"repetition_penalty": 1.3}, "decoding-differs"),
        ({"decoding": {"do_sample": True, "temperature": 0.7}}, "sampled-against-greedy"),
        ({"template": "Q: {{ instruction }}\nA:"}, "template-differs"),
    ],
)
def test_variants_that_were_asked_otherwise(
    texts: Document, found: Found, own: Document, code: str
) -> None:
    texts["variants"][1] |= own
    assert severities(found(texts)) == {code: "error"}


def test_sampling_and_few_items_are_told(texts: Document, found: Found) -> None:
    texts["decoding"] = {"do_sample": True, "temperature": 1.0, "seed": 1, "max_new_tokens": 200}
    texts["items"] = texts["items"][:50]
    assert severities(found(texts)) == {"sampled-once": "note", "too-few-items": "note"}
    texts["items"] = texts["items"][:10]
    assert severities(found(texts))["too-few-items"] == "warning"


def test_items_of_one_group_count_once(texts: Document, found: Found) -> None:
    for number, item in enumerate(texts["items"]):
        item["group"] = f"page {number % 12}"
    (finding,) = found(texts)
    assert (finding.code, finding.severity) == ("too-few-items", "warning")
    assert finding.evidence.startswith("100 items in 12 independent groups: ")


def relabel(row: Document, label: str) -> None:
    row.update(label=label, text=label)


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        (
            lambda row, n: relabel(row, LABELS[(n + 1) % 3]),
            "labels-turned", "error",
        ),
        (
            lambda row, n: relabel(row, LABELS[(n + 1 + n // 3 % 2) % 3]),
            "below-chance", "error",
        ),
        (lambda row, n: relabel(row, "up"), "one-label-only", "warning"),
        (lambda row, n: n % 3 or row.update(text="the way is up"), "invalid-labels", "warning"),
    ],
)  # fmt: skip
def test_faults_of_the_labels(
    labelled: Document, found: Found, change: Any, code: str, severity: str
) -> None:
    assert severities(found(each(labelled, change)))[code] == severity


def test_worse_than_the_commonest_label(labelled: Document, found: Found) -> None:
    for number, item in enumerate(labelled["items"]):
        item["reference"] = "up" if number % 10 else "down"
    findings = found(each(labelled, lambda row, n: relabel(row, "up" if n % 2 else "flat")))
    assert severities(findings)["below-majority"] == "warning"
    assert "labels-turned" not in severities(findings)


def test_a_base_that_says_one_label_is_not_turned_round(labelled: Document, found: Found) -> None:
    labelled["labels"] = ["up", "down"]
    for number, item in enumerate(labelled["items"]):
        item["reference"] = right = "up" if number % 3 else "down"
        relabel(item["answers"]["tuned"], right)
        relabel(item["answers"]["base"], "down")
    assert severities(found(labelled)) == {"below-chance": "note", "one-label-only": "note"}


def test_baselines_and_heads_have_no_texts_to_fault(labelled: Document, found: Found) -> None:
    labelled["variants"] += [{"name": "majority", "kind": "baseline"}]
    for item in labelled["items"]:
        item["answers"]["majority"] = {"text": None, "label": "up"}
        item["answers"]["tuned"]["text"] = None
    assert found(labelled) == []


def test_every_code_says_what_to_do() -> None:
    for code, advice in COMPARISON.items():
        assert code == code.lower()
        assert advice.severity in SEVERITIES
        assert advice.usually.endswith(".")
        assert "`" in advice.mend


def test_a_plain_list_is_told_by_name_in_the_report(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": f"Question {number}?",
            "fine_tuned": f"{('Input:', 'Output:')[number % 2]} it is number {number}",
            "regular": f"Number {number} " + LOOP,
        }
        for number in range(6)
    ]
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(rows))
    made = report([file], tmp_path / "out", ReportConfig(resamples=100))
    named = {row.code: row for row in made.findings}
    assert named["template-words"].severity == "error"
    assert '"Input:" (3), "Output:" (3)' in named["template-words"].evidence
    assert named["answers-loop"].evidence.startswith("base: 6 of 6 (100 %) answers end in a lo")
    assert "decoding-not-recorded" in named
    for name in ("report.md", "report.html"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        for word in ("template-words", "answers-loop", "end in a loop", "Usually: "):
            assert word in text
    assert "<code>infer compare" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    lines = lines_of(file)
    assert lines[0].startswith("error: template-words: fine_tuned: 6 of 6 (100 %) answers begin")
    assert not [line for line in lines if line.startswith("note")]
