"""Runs over a base with a chat template: what they train on, save and are found out by."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.files import read_json, write_json
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.example import Example, Message
from tuneproof.formats.run import Run, read_run
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig
from tuneproof.models.load import chat_template, load_tokenizer
from tuneproof.prompts.fit import ask
from tuneproof.tuning.doctor import examine
from tuneproof.tuning.merge import merge_run

pytestmark = pytest.mark.slow

CHAT = (
    "{% for message in messages %}"
    "{{ '(' + message['role'] + ') ' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '(assistant) ' }}{% endif %}"
)
QUESTION = Example(id="q", task="t", instruction="What is ice?", output="Cold.", group="q")
HISTORY = replace(
    QUESTION,
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="Mud?"),
        Message(role="assistant", content="Wet."),
        Message(role="user", content="What is ice?"),
    ),
)


@pytest.fixture(scope="module")
def chat_base(base_models: dict[str, Path], tmp_path_factory: Any) -> Path:
    """A minute GPT-2 with a chat template."""
    folder: Path = tmp_path_factory.mktemp("chat") / "base"
    shutil.copytree(base_models["gpt2"], folder)
    (folder / "chat_template.jinja").write_text(CHAT)
    return folder


@pytest.fixture
def run(tuned: Callable[..., Run], chat_base: Path) -> Run:
    return tuned(model=str(chat_base))


def asked_by_others(folder: Path, example: Example) -> list[int]:
    """Return the question as transformers' chat pipelines and servers make tokens of it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [{"role": m.role, "content": m.content} for m in example.conversation()]
    if messages[-1]["role"] == "assistant":
        messages.pop()
    ids: list[int] = tokenizer.apply_chat_template(messages, add_generation_prompt=True)[
        "input_ids"
    ]
    return ids


def asked_by_us(run: Run, example: Example) -> list[int]:
    assert run.template is not None
    encoded = ask(run.template, load_tokenizer(run.base.model), example, max_length=10**6)
    assert encoded is not None
    return encoded.ids


@pytest.mark.parametrize("template", ["auto", "instruct"])
@pytest.mark.parametrize("is_chat", [True, False])
def test_every_saved_folder_asks_as_the_run_was_trained(
    tuned: Callable[..., Run], chat_base: Path, base_models: dict[str, Path], tmp_path: Path,
    template: str, is_chat: bool,
) -> None:  # fmt: skip
    base = chat_base if is_chat else base_models["gpt2"]
    run = tuned(model=str(base), template=template)
    assert run.template is not None
    assert run.template.name == ("chat" if is_chat and template == "auto" else "instruct")
    merge_run(run, tmp_path / "merged")
    checkpoint = next((run.folder / "checkpoints").glob("checkpoint-*"))
    for folder in (run.adapter, checkpoint, tmp_path / "merged"):
        for example in (QUESTION, HISTORY):
            assert asked_by_others(folder, example) == asked_by_us(run, example)
    for folder in (run.adapter, tmp_path / "merged"):
        ends = read_json(folder / "generation_config.json")["eos_token_id"]
        assert ends == load_tokenizer(str(base)).eos_token_id


def test_own_chat_template_is_read_wherever_it_is_kept(chat_base: Path, tmp_path: Path) -> None:
    assert chat_template(str(chat_base)) == CHAT
    folder = tmp_path / "older"
    shutil.copytree(chat_base, folder)
    (folder / "chat_template.jinja").unlink()
    assert chat_template(str(folder)) is None
    config = read_json(folder / "tokenizer_config.json")
    write_json(folder / "tokenizer_config.json", config | {"chat_template": CHAT})
    assert chat_template(str(folder)) == CHAT
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHAT}]
    write_json(folder / "tokenizer_config.json", config | {"chat_template": named})
    assert chat_template(str(folder)) == CHAT


def test_all_answers_of_a_conversation_are_trained_unless_only_the_last_is_asked_for(
    tuned: Callable[..., Run], chat_base: Path, tmp_path: Path
) -> None:
    data = tmp_path / "chats"
    data.mkdir()
    turns = [
        {"role": "user", "content": "Mud?"}, {"role": "assistant", "content": "Wet."},
        {"role": "user", "content": "Ice?"}, {"role": "assistant", "content": "Cold."},
    ]  # fmt: skip
    rows = [
        {"id": f"c{n}", "instruction": "Ice?", "output": "Cold.", "messages": turns}
        for n in range(4)
    ]
    (data / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    tokenizer = load_tokenizer(str(chat_base))
    size = {text: len(tokenizer(text)["input_ids"]) + 1 for text in ("Wet.", "Cold.")}
    every = tuned(model=str(chat_base), data=data, max_steps=1, name="all")
    last = tuned(model=str(chat_base), data=data, max_steps=1, name="last", train_on="last")
    assert every.data.train.trained_tokens == 4 * sum(size.values())
    assert last.data.train.trained_tokens == 4 * size["Cold."]
    assert every.data.train.tokens == last.data.train.tokens
    cut = tuned(
        model=str(chat_base), data=data, max_steps=1, name="cut",
        max_length=every.data.train.longest - 1,
    )  # fmt: skip
    assert cut.data.train.dropped_turns == 4 * 2


def codes(**given: Any) -> dict[str, str]:
    return {found.code: found.severity for found in examine(**given)}


def test_doctor_says_nothing_of_a_run_in_the_model_s_own_template(run: Run) -> None:
    assert codes(run=run.folder) == {}


def test_doctor_finds_a_template_that_is_not_the_model_s(
    tuned: Callable[..., Run], chat_base: Path
) -> None:
    run = tuned(model=str(chat_base), template="instruct")
    assert codes(run=run.folder) == {"template-not-the-models": "warning"}


def test_doctor_finds_a_saved_template_that_differs(run: Run) -> None:
    (run.adapter / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    assert codes(run=run.folder) == {"export-template-differs": "error"}


def test_doctor_finds_a_bos_that_the_template_doubles(
    tuned: Callable[..., Run], base_models: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "two.j2"
    path.write_text("<|endoftext|><|endoftext|>{{ instruction }} {{ input }}\n")
    run = tuned(model=str(base_models["gpt2"]), template=str(path))
    assert codes(run=run.folder) == {"double-bos": "error"}


def test_doctor_finds_a_base_that_was_not_asked_in_its_own_template(
    run: Run, tmp_path: Path
) -> None:
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps([f"What does river {n} carry?" for n in range(4)]))
    out = tmp_path / "model_comparison.json"
    compare(
        prompts,
        CompareConfig(run=(run.name,), runs=run.folder.parent, out=out, max_new_tokens=4),
    )
    assert "base-unfair" not in codes(comparison=out)
    value = read_json(out)
    for variant in value["variants"]:
        variant.pop("template", None)
    write_json(out, value | {"template": "### {{ instruction }}{{ input }}"})
    assert read_comparison(out).template == "### {{ instruction }}{{ input }}"
    assert codes(comparison=out)["base-unfair"] == "error"


def test_old_run_without_variables_is_read(run: Run) -> None:
    facts = read_json(run.folder / "run.json")
    assert "variables" not in facts["template"]
    assert read_run(run.folder).template == run.template


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.mark.parametrize("template", ["auto", "instruct"])
def test_three_forms_of_the_same_conversations_give_the_same_training_tokens(
    chat_base: Path, tmp_path: Path, template: str
) -> None:
    from tuneproof.formats.data_folder import DataFolder
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.generate import encode
    from tuneproof.tuning.runs import template_of

    talks = [
        (f"Be brief, {n}.", [(f"Mud {n}-{k}?", f"Wet {n}-{k}.") for k in range(1 + n % 3)])
        for n in range(40)
    ]
    forms = {"messages": [], "sharegpt": [], "alpaca": []}  # type: dict[str, list[dict[str, Any]]]
    for number, (system, rounds) in enumerate(talks):
        turns = [turn for pair in rounds for turn in zip(("user", "assistant"), pair, strict=True)]
        named = {"system": "system", "user": "human", "assistant": "gpt"}
        whole = [("system", system), *turns]
        forms["messages"].append(
            {"id": str(number), "messages": [{"role": r, "content": c} for r, c in whole]}
        )
        forms["sharegpt"].append(
            {"id": str(number), "conversations": [{"from": named[r], "value": c} for r, c in whole]}
        )
        *history, (asked, answer) = rounds
        forms["alpaca"].append(
            {
                "id": str(number), "system": system, "history": [list(pair) for pair in history],
                "instruction": asked, "input": "", "output": answer,
            }
        )  # fmt: skip
    tokenizer = load_tokenizer(str(chat_base))
    chosen = template_of(TuneConfig(model=str(chat_base), template=template))
    encoded = {
        name: encode(DataFolder(written(tmp_path / name, rows)).train, chosen, tokenizer, 400).rows
        for name, rows in forms.items()
    }
    assert len(encoded["messages"]) == 40
    assert encoded["messages"] == encoded["sharegpt"] == encoded["alpaca"]
