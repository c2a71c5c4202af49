from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.formats.example import Example
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import IGNORED, completion_ids
from tuneproof.tuning.generate import encode, marked

EOS = "<|endoftext|>"


def record(instruction: str, output: str, text: str = "", name: str = "r") -> Example:
    return Example(
        id=name, task="t", instruction=instruction, input=text, output=output, group=name
    )


def test_prompt_is_masked_and_answer_with_eos_is_trained(tokenizer: Any) -> None:
    template = templates.load()
    [row] = encode([record("What?", "Mud.", "Ice.")], template, tokenizer, 100).rows
    prompt = tokenizer(template.render("What?", "Ice."))["input_ids"]
    answer = [*tokenizer("Mud.")["input_ids"], tokenizer.eos_token_id]
    assert row["input_ids"] == prompt + answer
    assert row["labels"] == [IGNORED] * len(prompt) + answer


@settings(max_examples=60, deadline=None)
@given(
    instruction=st.text(min_size=1, max_size=30),
    output=st.text(min_size=1, max_size=30),
    eos_in=st.sampled_from(["", "instruction", "output", "input"]),
    limit=st.integers(20, 140),
)
def test_masks_go_by_position_and_no_answer_is_cut(
    tokenizer: Any, instruction: str, output: str, eos_in: str, limit: int
) -> None:
    texts = {"instruction": instruction, "output": output, "input": "ice " * 30}
    if eos_in:
        texts[eos_in] += EOS
    template = templates.load()
    made = record(texts["instruction"], texts["output"], texts["input"])
    found = encode([made], template, tokenizer, limit)
    answer = completion_ids(template, tokenizer, texts["output"])
    assert answer.count(tokenizer.eos_token_id) == 1  # what people wrote stays text
    assert len(found.rows) + (found.counts.too_long or 0) == 1
    for row in found.rows:
        ids, labels = row["input_ids"], row["labels"]
        assert len(ids) == len(labels) <= limit
        assert labels[-len(answer) :] == ids[-len(answer) :] == answer
        assert set(labels[: -len(answer)]) == {IGNORED}


def test_pad_that_is_eos_changes_no_label(tokenizer: Any) -> None:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    rows = encode(
        [record("What?", "Mud."), record("What does the river carry?", "Mud and stones.")],
        templates.load(), tokenizer, 100,
    ).rows  # fmt: skip
    batch = DataCollatorForLanguageModeling(pad_token_id=tokenizer.eos_token_id)(rows)
    for number, row in enumerate(rows):
        size = len(row["labels"])
        assert batch["labels"][number, :size].tolist() == row["labels"]
        assert set(batch["labels"][number, size:].tolist()) <= {IGNORED}
        assert batch["attention_mask"][number].sum() == size
    assert [row["labels"][-1] for row in rows] == [tokenizer.eos_token_id] * 2


def test_records_that_do_not_fit_are_counted(tokenizer: Any) -> None:
    records = [
        record("What?", "Mud.", name="short"),
        record("What?", "Mud." * 100, name="long answer"),
        record("What?" * 100, "Mud.", name="long question"),
        record("What?", "Mud.", "ice " * 100, name="long input"),
    ]
    found = encode(records, templates.load(), tokenizer, 60)
    assert asdict(found.counts) == {
        "examples": 2,
        "tokens": sum(len(row["input_ids"]) for row in found.rows),
        "longest": max(len(row["input_ids"]) for row in found.rows),
        "trained_tokens": 2 * (len(tokenizer("Mud.")["input_ids"]) + 1),
        "shortened": 1,
        "too_long": 2,
        "dropped_turns": 0,
    }


def test_marked_shows_what_is_trained(tokenizer: Any) -> None:
    [row] = encode([record("What?", "Mud.")], templates.load(), tokenizer, 100).rows
    assert marked(row, tokenizer).endswith("### Response:\n[[Mud.<|endoftext|>]]")


def test_named_labels_stand_in_every_question(tokenizer: Any) -> None:
    template = templates.load()
    made = record("Which?", "mud", "Ice.")
    [row] = encode([made], template, tokenizer, 100, labels={"t": ["mud", "ice"]}).rows
    question = "Which?\n\nAnswer with one of these labels: mud; ice"
    prompt = tokenizer(template.render(question, "Ice."))["input_ids"]
    assert row["input_ids"][: len(prompt)] == prompt
    assert row["labels"] == [IGNORED] * len(prompt) + row["input_ids"][len(prompt) :]
    [plain] = encode([made], template, tokenizer, 100, labels={"other": ["mud", "ice"]}).rows
    assert len(plain["input_ids"]) < len(row["input_ids"])
