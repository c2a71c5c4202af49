"""How the base is asked: in its own template, in the run's, after examples, told the labels."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from tests.inference.conftest import CHATML, question
from tuneproof.formats.template import Template
from tuneproof.inference.forms import Form, base_forms
from tuneproof.inference.shots import Shots
from tuneproof.prompts import template as templates

OWN = templates.own(CHATML)
INSTRUCT = templates.load("instruct")


@pytest.fixture(scope="module")
def chat(tokenizer: Any) -> Any:
    """The small tokenizer with ChatML."""
    made = copy.deepcopy(tokenizer)
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = CHATML
    return made


def shots(*answers: str) -> Shots:
    chosen = tuple(
        replace(question(f"Question {n}?", name=f"s{n}"), output=answer)
        for n, answer in enumerate(answers)
    )
    return Shots(k=len(answers), by="nearest", seed=None, file="train.jsonl", chosen={"q": chosen})


def text_of(form: Form, tokenizer: Any, limit: int = 10_000) -> str:
    encoded = form.ask(tokenizer, question("Ice?"), limit)
    assert encoded is not None
    text: str = tokenizer.decode(encoded.prompt_ids)
    return text


def test_base_is_asked_in_its_own_template_and_once_more_in_the_runs() -> None:
    run = Form(template=INSTRUCT, max_length=64)
    forms = base_forms(OWN, {"mine": run, "yours": run})
    assert list(forms) == ["base", "base-as-tuned"]
    assert forms["base"].template.text == CHATML
    assert forms["base"].max_length is None
    assert forms["base-as-tuned"] == run


def test_model_without_a_template_of_its_own_is_asked_in_the_runs() -> None:
    forms = base_forms(None, {"mine": Form(template=INSTRUCT, max_length=64)})
    assert list(forms) == ["base"]
    assert forms["base"].template == INSTRUCT


def test_template_is_the_same_by_its_text_and_variables() -> None:
    renamed = Template(name="my/copy.jinja", text=CHATML)
    assert list(base_forms(OWN, {"mine": Form(template=renamed)})) == ["base"]
    thinks = replace(OWN, variables={"enable_thinking": False})
    assert list(base_forms(OWN, {"mine": Form(template=thinks)})) == ["base", "base-as-tuned"]


def test_base_is_asked_as_each_run_where_they_differ() -> None:
    other = Form(template=Template(name="other", text="{{ instruction }} {{ input }}"))
    runs = {"a": Form(template=INSTRUCT), "b": other, "c": Form(template=OWN), "d": other}
    assert list(base_forms(OWN, runs)) == ["base", "base-as-a", "base-as-b"]
    assert list(base_forms(None, {"b": other, "a": Form(template=INSTRUCT)})) == [
        "base", "base-as-a"
    ]  # fmt: skip


def test_base_gets_examples_a_system_message_and_the_labels() -> None:
    forms = base_forms(
        OWN, {"mine": Form(template=INSTRUCT)}, shots=shots("One."), system="Be brief.",
        labels=("mud", "ice"),
    )  # fmt: skip
    assert list(forms) == ["base", "base-as-tuned", "base-few-shot", "base-prompted"]
    named = {name: form.labels for name, form in forms.items()}
    assert named.pop("base-as-tuned") == ()  # it is asked as the run is
    assert named.pop("base-few-shot") == ()  # its examples show what labels there are
    assert set(named.values()) == {("mud", "ice")}
    assert forms["base-prompted"].system == "Be brief."
    assert forms["base-prompted"].shots is None


def test_examples_become_earlier_turns(chat: Any) -> None:
    form = Form(template=OWN, shots=shots("One.", "Two."))
    expected = chat.apply_chat_template(
        [
            {"role": "user", "content": "Question 0?"},
            {"role": "assistant", "content": "One."},
            {"role": "user", "content": "Question 1?"},
            {"role": "assistant", "content": "Two."},
            {"role": "user", "content": "Ice?"},
        ],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text_of(form, chat) == expected


def test_system_message_and_labels_are_in_the_prompt(chat: Any) -> None:
    form = Form(template=OWN, system="Be brief.", labels=("mud", "ice"))
    assert text_of(form, chat) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nIce?\n\n"
        "Answer with one of these labels: mud; ice<|im_end|>\n<|im_start|>assistant\n"
    )
    assert form.recorded() == {
        "template": CHATML,
        "system": "Be brief.",
        "label_sentence": "Answer with one of these labels: mud; ice",
    }


@pytest.mark.parametrize("template", [OWN, INSTRUCT], ids=["chat", "instruct"])
def test_first_examples_give_way_and_those_that_stay_are_known(
    chat: Any, template: Template
) -> None:
    form = Form(template=template, shots=shots("One.", "Two.", "Three."))
    whole = form.ask(chat, question("Ice?"), 10_000)
    assert whole is not None
    assert form.shown(question("Ice?"), whole) == ["s0", "s1", "s2"]
    cut = form.ask(chat, question("Ice?"), len(whole.prompt_ids) - 1)
    assert cut is not None
    assert form.shown(question("Ice?"), cut) == ["s1", "s2"]
    assert "One." not in chat.decode(cut.prompt_ids)
    bare = Form(template=template).ask(chat, question("Ice?"), 10_000)
    assert bare is not None
    none = form.ask(chat, question("Ice?"), len(bare.prompt_ids))
    assert none == replace(bare, dropped_turns=6)
    assert form.shown(question("Ice?"), none) == []
    assert form.ask(chat, question("Ice? " * 99), 40) is None
    assert Form(template=template).shown(question("Ice?"), whole) is None


def test_labels_that_the_question_names_already_are_not_named_again(chat: Any) -> None:
    form = Form(template=OWN, labels=("mud", "ice"))
    named = question("Is it mud or ice?")
    encoded = form.ask(chat, named, 1000)
    assert encoded is not None
    assert "one of these labels" not in chat.decode(encoded.prompt_ids)
