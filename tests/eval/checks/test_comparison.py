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


def test_one_seed_is_one_checkpoint(texts: Document, found: Found) -> None:
    tuned = texts["variants"][1]
    tuned |= {"training_seed": 3, "settings_sha256": "0" * 64}
    (note,) = found(texts)
    assert (note.code, note.severity) == ("one-seed", "note")
    assert note.evidence == "tuned (seed 3): what is said holds for this checkpoint"
    texts["variants"].append({**tuned, "name": "tuned-merged", "merged": True})
    for item in texts["items"]:
        item["answers"]["tuned-merged"] = item["answers"]["tuned"]
    assert "one-seed" in severities(found(texts))
    texts["variants"].append({**tuned, "name": "again", "training_seed": 4})
    for item in texts["items"]:
        item["answers"]["again"] = item["answers"]["tuned"]
    assert "one-seed" not in severities(found(texts))


def test_items_of_one_group_count_once(texts: Document, found: Found) -> None:
    for number, item in enumerate(texts["items"]):
        item["group"] = f"page {number % 12}"
    (finding,) = found(texts)
    assert (finding.code, finding.severity) == ("too-few-items", "warning")
    assert finding.evidence.startswith("100 items in 12 independent units: ")


def test_base_is_better_by_units_not_by_items(texts: Document, found: Found) -> None:
    for number, item in enumerate(texts["items"]):
        unit = number % 5  # five units: even if all go one way, chance does so once in 32
        item["group"] = f"page {unit}"
        base, tuned = item["answers"]["base"], item["answers"]["tuned"]
        base["text"], tuned["text"] = f"mud and {number} stones", "no idea"
    assert "base-is-better" not in severities(found(texts))
    for number, item in enumerate(texts["items"]):
        item["group"] = f"page {number % 25}"
    (worse,) = (one for one in found(texts) if one.code == "base-is-better")
    assert "25 of 25 (100 %) of the units in which they differ" in worse.evidence


def test_any_of_several_right_answers_counts(texts: Document, found: Found) -> None:
    for number, item in enumerate(texts["items"]):
        right = item["reference"]
        item["references"] = [right, "spring"]
        base, tuned = item["answers"]["base"], item["answers"]["tuned"]
        base["text"], tuned["text"] = f"{number} stones", "spring"
    assert "base-is-better" not in severities(found(texts))
    for item in texts["items"]:
        item["references"] = [item["reference"]]
    assert "base-is-better" in severities(found(texts))


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


RIVERS = (
    "Aare", "Arno", "Cam", "Doubs", "Ebro", "Fulda", "Garonne", "Hase", "Isar", "Jordan", "Kama",
    "Loire", "Main", "Neckar", "Oder",
)  # fmt: skip


@pytest.fixture
def facts() -> Document:
    """Sixty questions on rivers and goods; the tuned variant says the reference in its words."""
    rows = []
    for number in range(60):
        river, goods = RIVERS[number % 15], f"cargo{number}"
        base = f"{river} is a river and nobody knows what {goods} could be in it at all."
        rows.append(
            {
                "id": f"q{number}",
                "task": "rivers",
                "prompt": f"Who brought the {goods} down the {river}?",
                "reference": f"The {goods} were brought by the people of {river} in their boats.",
                "answers": {
                    "base": answer(base, tokens=20),
                    "tuned": answer(f"People of {river} with boats had the {goods}.", tokens=12),
                },
            }
        )
    return document(rows)


def test_facts_are_clean(facts: Document, found: Found) -> None:
    assert severities(found(facts)) == {"too-few-items": "note"}


def of_code(findings: list[Finding], code: str) -> Finding:
    (one,) = (each for each in findings if each.code == code)
    return one


def test_references_of_the_next_item(facts: Document, found: Found) -> None:
    rights = [item["reference"] for item in facts["items"]]
    for item, right in zip(facts["items"], [*rights[1:], rights[0]], strict=True):
        item["reference"] = right
    finding = of_code(found(facts), "references-displaced")
    assert finding.severity == "error"
    assert finding.evidence.startswith(
        "the references: 60 of 60 (100 %) seem to belong to other items; each item has that of "
        "the one 1 further on; q0 has that of q1"
    )


def test_two_references_that_changed_places(facts: Document, found: Found) -> None:
    first, second = facts["items"][3], facts["items"][40]
    first["reference"], second["reference"] = second["reference"], first["reference"]
    finding = of_code(found(facts), "references-displaced")
    assert finding.severity == "note"
    assert "q3 has that of q40; q40 has that of q3" in finding.evidence


def test_answers_that_came_back_in_another_order(facts: Document, found: Found) -> None:
    items = facts["items"]
    answers = [item["answers"]["tuned"] for item in items]
    for item, other in zip(items[:12], answers[11::-1], strict=True):
        item["answers"]["tuned"] = other
    findings = found(facts)
    assert of_code(findings, "answers-displaced").severity == "error"
    assert "tuned: 12 of 60 (20 %)" in of_code(findings, "answers-displaced").evidence
    assert "references-displaced" not in severities(findings)


def test_labels_that_are_shifted(labelled: Document, found: Found) -> None:
    rights = [LABELS[number * number % 7 % 3] for number in range(120)]
    for item, right, given in zip(labelled["items"], rights[1:] + rights[:1], rights, strict=True):
        item["reference"] = right
        relabel(item["answers"]["tuned"], given)
    assert severities(found(labelled))["references-displaced"] == "error"


def test_one_question_under_two_ids(facts: Document, found: Found) -> None:
    first, second = facts["items"][5], facts["items"][9]
    second["prompt"] = first["prompt"].upper().replace(" ", "  ")
    finding = of_code(found(facts), "items-repeated")
    assert finding.severity == "note"
    assert "q5 and q9" in finding.evidence
    first["group"] = second["group"] = "one"
    assert "items-repeated" not in severities(found(facts))


@pytest.mark.parametrize("mark", ["\nAnswer: ", "\n### Response:\n", " ", "\n**Output:** "])
def test_references_in_the_prompt(facts: Document, found: Found, mark: str) -> None:
    for item in facts["items"][:9]:
        item["prompt"] += mark + item["reference"]
    finding = of_code(found(facts), "reference-in-prompt")
    assert finding.severity == "error"
    assert finding.evidence.startswith("9 of 60 (15 %) items are asked with their own reference")


def test_spans_of_a_passage_are_no_leak(facts: Document, found: Found) -> None:
    for number, item in enumerate(facts["items"]):
        around = ["It was long ago.", "Nobody knows more."]
        item["input"] = " ".join([*around[: number % 3], item["reference"], *around[number % 3 :]])
    assert "reference-in-prompt" not in severities(found(facts))


def test_texts_that_are_to_be_copied_are_no_leak(facts: Document, found: Found) -> None:
    for item in facts["items"]:
        item["prompt"] = f"Correct this, where it is wrong: {item['reference']}"
    assert "reference-in-prompt" not in severities(found(facts))
    for item in facts["items"]:
        item["prompt"], item["input"] = "Correct this, where it is wrong.", item["reference"]
    assert "reference-in-prompt" not in severities(found(facts))


def test_labels_in_the_prompt(labelled: Document, found: Found) -> None:
    for item in labelled["items"]:
        item["input"] = f"Is it up, down or flat? Text: a way. {item['reference']}"
    assert severities(found(labelled))["reference-in-prompt"] == "error"
    for item in labelled["items"]:
        item["input"] = "Is it up, down or flat?"
    assert "reference-in-prompt" not in severities(found(labelled))


def test_one_answer_for_all(facts: Document, found: Found) -> None:
    same = {"text": "I have brought them here by myself.", "tokens": 9}
    few = each(facts, lambda row, n: n % 10 or row.update(same))
    assert severities(found(few))["one-answer-for-all"] == "warning"
    assert (
        severities(found(each(facts, lambda row, n: row.update(same))))["one-answer-for-all"]
        == "error"
    )


def test_short_answers_that_the_references_repeat_too_are_none(
    facts: Document, found: Found
) -> None:
    for number, item in enumerate(facts["items"]):
        item["reference"] = ("Yes", "No")[number % 2]
    said = each(facts, lambda row, n: row.update(text="Yes" if n % 3 else "No", tokens=2))
    assert "one-answer-for-all" not in severities(found(said))
    for item in said["items"]:
        item["reference"] = None
    assert "one-answer-for-all" not in severities(found(said))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<think>The people?</think> The people of {} in their boats.", "thinking-in-answers"),
        ("The people of {} in their boats.<|im_end|>", "special-token-in-text"),
        ("<p>The people of {} in their boats.</p>", "markup-in-answers"),
        ("The people of {}.\n### Instruction:\nSay more.", "next-turn-in-answers"),
        ("As an AI, I cannot know {}.", "refusals"),
        ("Das sind die Leute von {}, und das ist nicht wenig für eine Stadt.", "other-language"),
        ("Leute von {} f\u00c3\u00bcr immer.", "garbled-characters"),
        ("nan", "empty-answers"),
        ("It must have been the people of {} with the", "answers-break-off"),
    ],
)
def test_what_does_not_belong_into_answers(
    facts: Document, found: Found, text: str, code: str
) -> None:
    def spoil(row: Document, number: int) -> None:
        if number % 9 == 0:
            row.update(text=text.format(f"place{number}"), tokens=20)

    finding = of_code(found(each(facts, spoil)), code)
    assert finding.severity in ("warning", "error")
    assert "tuned: 7 of 60 (11.7 %)" in finding.evidence
    assert "q0, q9, q18" in finding.evidence
    if code == "other-language":
        return
    for number, item in enumerate(facts["items"]):
        item["reference"] = text.format(f"place{number}")  # it is asked for
    assert code not in {
        one.code for one in found(each(facts, spoil)) if one.evidence.startswith("tuned")
    }


def test_none_is_an_answer_where_a_reference_is(facts: Document, found: Found) -> None:
    said = each(facts, lambda row, n: n % 9 or row.update(text="None", tokens=2))
    assert severities(found(said))["empty-answers"] == "warning"
    said["items"][5]["reference"] = "None"
    assert "empty-answers" not in severities(found(said))


def test_answers_of_two_models_exchanged(facts: Document, found: Found) -> None:
    for item in facts["items"]:
        item["answers"]["base"].update(finish_reason="length")
    assert "answers-swapped" not in severities(found(facts))
    for item in facts["items"][::10]:
        answers = item["answers"]
        answers["base"], answers["tuned"] = answers["tuned"], answers["base"]
    finding = of_code(found(facts), "answers-swapped")
    assert finding.evidence.startswith("in 6 of 60 (10 %) items base stops by itself and tuned doe")


def test_thoughts_are_tokens_without_text(facts: Document, found: Found) -> None:
    for item in facts["items"][:4]:
        item["answers"]["tuned"].update(text="Oh.", tokens=80, thinking_tokens=77)
    assert "tokens-unlike-texts" not in severities(found(facts))


def test_texts_that_cannot_have_the_tokens_counted(facts: Document, found: Found) -> None:
    for item in facts["items"][:4]:
        item["answers"]["tuned"].update(text="Oh.", tokens=80)
    finding = of_code(found(facts), "tokens-unlike-texts")
    assert "q0 has 3 characters and 80 tokens" in finding.evidence


@pytest.mark.parametrize(
    ("base", "tuned", "code"),
    [
        ({"model": "a"}, {"model": "b", "adapter": "runs/b"}, "base-differs"),
        ({"model": "a", "adapter": "runs/b"}, {"model": "a", "adapter": None}, "variants-swapped"),
    ],
)
def test_models_that_are_not_what_they_seem(
    facts: Document, found: Found, base: Document, tuned: Document, code: str
) -> None:
    facts["variants"] = [{"name": "base", **base}, {"name": "tuned", **tuned}]
    assert severities(found(facts))[code] == "error"


def test_two_models_without_training_may_differ(facts: Document, found: Found) -> None:
    facts["variants"] = [{"name": "base", "model": "a"}, {"name": "tuned", "model": "b"}]
    assert severities(found(facts)) == {"too-few-items": "note"}


def test_examples_in_the_prompt_that_beat_the_tuning(facts: Document, found: Found) -> None:
    facts["variants"].append({"name": "base-few-shot", "model": "a"})
    for item in facts["items"]:
        item["answers"]["base-few-shot"] = answer(item["reference"], tokens=12)
    finding = of_code(found(facts), "few-shot-beats-tuning")
    assert finding.severity == "warning"
    assert finding.evidence.startswith("base-few-shot has 1.000 and tuned 0.")
    for item in facts["items"]:
        item["answers"]["tuned"] = answer(item["reference"], tokens=12)
        item["answers"]["base-few-shot"] = answer("no idea")
    assert "few-shot-beats-tuning" not in severities(found(facts))


def test_probabilities_that_say_nothing(labelled: Document, found: Found) -> None:
    for number, item in enumerate(labelled["items"]):
        for row in item["answers"].values():
            shares = dict.fromkeys(LABELS, 0.2 - number / 1000) | {row["label"]: 0.6 + number / 500}
            row["label_probabilities"] = shares
    assert "probabilities-constant" not in severities(found(labelled))
    even = dict.fromkeys(LABELS, 1 / 3)
    for item in labelled["items"][:2]:
        item["answers"]["tuned"]["label_probabilities"] = even
    assert severities(found(labelled))["probabilities-constant"] == "note"
    for item in labelled["items"]:
        item["answers"]["tuned"] |= {"label_probabilities": {"up": 0.5, "down": 0.3, "flat": 0.2}}
        relabel(item["answers"]["tuned"], "up")
    assert severities(found(labelled))["probabilities-constant"] == "error"


def test_advice_names_no_run_that_there_is_not(tmp_path: Path) -> None:
    loop = "and so on " * 40
    rows = [
        {"prompt": f"question {n}?", "fine_tuned": loop, "regular": f"answer {n}", "reference": "x"}
        for n in range(20)
    ]
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(rows))
    findings = check_comparison(read_comparison(path))
    assert "answers-loop" in {finding.code for finding in findings}
    assert not [finding.mend for finding in findings if "--run fine_tuned" in finding.mend]
    assert any("--run RUN" in finding.mend for finding in findings)


def test_answers_of_a_baseline_are_training_examples_and_not_judged(tmp_path: Path) -> None:
    same = "the opposite of early is late, as everybody knows."
    answers = {"base": "answer {n}", "tuned": "reply {n}", "nearest": same}
    document = {
        "schema": "tuneproof/comparison@1",
        "variants": [
            {"name": "base", "model": "m"}, {"name": "tuned", "model": "m", "adapter": "a"},
            {"name": "nearest", "kind": "baseline"},
        ],
        "items": [
            {
                "id": f"q{n}", "task": "t", "group": f"q{n}", "prompt": f"question {n}?",
                "reference": f"right {n}",
                "answers": {k: {"text": text.format(n=n)} for k, text in answers.items()},
            }
            for n in range(30)
        ],
    }  # fmt: skip
    path = tmp_path / "mc.json"
    for judged in (False, True):
        if judged:  # the same answers of a model are a fault
            document["variants"][2].pop("kind")  # type: ignore[index]
        path.write_text(json.dumps(document))
        codes = {finding.code for finding in check_comparison(read_comparison(path))}
        assert ("one-answer-for-all" in codes) == judged
