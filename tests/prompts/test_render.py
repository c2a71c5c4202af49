from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, Message
from tuneproof.formats.template import Template
from tuneproof.prompts import template as templates
from tuneproof.prompts.export import chat_template
from tuneproof.prompts.fit import IGNORED, Encoded, ask, completion_ids, fit, stop_tokens
from tuneproof.prompts.render import traits_of

Chat = Callable[..., tuple[Template, Any]]
GOOD = (
    "chatml", "llama3", "gemma", "mistral", "qwen3", "phi", "zephyr", "vicuna", "command",
    "deepseek", "olmo", "granite", "smollm3", "mistral-late", "default-system", "llama2",
)  # fmt: skip
ENDS = {
    "chatml": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "mistral": "<|endoftext|>",
    "qwen3": "<|im_end|>",
    "phi": "<|end|>",
    "command": "<|END_OF_TURN_TOKEN|>",
    "granite": "<|end_of_text|>",
    "smollm3": "<|im_end|>",
    "default-system": "<|im_end|>",
    **dict.fromkeys(
        ("zephyr", "vicuna", "deepseek", "olmo", "mistral-late", "llama2"), "<|endoftext|>"
    ),
}


def example(*turns: tuple[str, str], text: str = "") -> Example:
    messages = tuple(Message(role=role, content=content) for role, content in turns)  # type: ignore[arg-type]
    if len(messages) == 2 and messages[0].role == "user":
        return Example(
            id="r", task="t", instruction=messages[0].content, input=text,
            output=messages[1].content, group="r",
        )  # fmt: skip
    return Example(
        id="r", task="t", instruction="", output=messages[-1].content, group="r", messages=messages
    )


ONE = example(("user", "What does the river carry?"), ("assistant", "Mud and stones."))
TWO = example(
    ("user", "What is ice?"), ("assistant", "Hard water."),
    ("user", "And mud?"), ("assistant", "Wet earth."),
)  # fmt: skip


def fitted(template: Template, tokenizer: Any, shown: Example, **options: Any) -> Encoded:
    encoded = fit(template, tokenizer, shown, **{"max_length": 10**6, **options})
    assert encoded is not None
    return encoded


def asked(template: Template, tokenizer: Any, shown: Example, **options: Any) -> Encoded:
    encoded = ask(template, tokenizer, shown, **{"max_length": 10**6, **options})
    assert encoded is not None
    return encoded


def trained(encoded: Encoded, tokenizer: Any) -> list[str]:
    """Return the parts that are trained on."""
    parts: list[list[int]] = []
    before = IGNORED
    for label in encoded.labels:
        if label != IGNORED:
            if before == IGNORED:
                parts.append([])
            parts[-1].append(label)
        before = label
    return [tokenizer.decode(part) for part in parts]


def rows(shown: Example) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in shown.conversation()]


@pytest.mark.parametrize("name", GOOD)
def test_question_is_asked_as_the_library_asks_it(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    expected = tokenizer.apply_chat_template(
        rows(ONE)[:1], chat_template=template.text, add_generation_prompt=True
    )["input_ids"]
    assert asked(template, tokenizer, ONE).prompt_ids == expected
    assert fitted(template, tokenizer, ONE).prompt_ids == expected


@pytest.mark.parametrize("name", GOOD)
def test_answer_and_its_end_are_trained_and_nothing_else(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    (text,) = trained(fitted(template, tokenizer, ONE), tokenizer)
    assert text.endswith(ENDS[name])
    said = text.removesuffix(ENDS[name]).removesuffix(" ")
    assert said.endswith("Mud and stones.")
    assert said.removesuffix("Mud and stones.").strip() in ("", "<think>\n\n</think>")
    assert completion_ids(template, tokenizer, "Mud and stones.") == (
        fitted(template, tokenizer, ONE).completion_ids
    )


@pytest.mark.parametrize("name", GOOD)
def test_whole_conversation_is_the_library_s_up_to_the_last_end(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    whole = tokenizer.apply_chat_template(rows(TWO), chat_template=template.text)["input_ids"]
    ids = fitted(template, tokenizer, TWO).ids
    assert ids == whole[: len(ids)]
    assert not {tokenizer.convert_tokens_to_ids(ENDS[name])} & {*whole[len(ids) + 1 :]}


@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("qwen3", "llama2")])
def test_every_answer_is_trained_as_it_is_asked_for(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    encoded = fitted(template, tokenizer, TWO)
    assert [text.strip() for text in trained(encoded, tokenizer)] == [
        f"Hard water.{ENDS[name]}",
        f"Wet earth.{ENDS[name]}",
    ]
    last = asked(template, tokenizer, TWO).prompt_ids
    assert encoded.ids[: len(last)] == last
    first = asked(template, tokenizer, replace(TWO, messages=TWO.messages[:2])).prompt_ids
    assert encoded.ids[: len(first)] == first
    only = fitted(template, tokenizer, TWO, train_on="last")
    assert only.ids == encoded.ids
    assert [text.strip() for text in trained(only, tokenizer)] == [f"Wet earth.{ENDS[name]}"]


def test_earlier_answers_that_are_rendered_otherwise_are_not_trained(chat: Chat) -> None:
    template, tokenizer = chat("qwen3", enable_thinking=False)
    assert not traits_of(template, tokenizer).is_stable
    assert trained(fitted(template, tokenizer, TWO), tokenizer) == ["Wet earth.<|im_end|>"]
    assert "conversation only the last" in traits_of(template, tokenizer).faults()[0]


def test_variables_reach_the_template(chat: Chat) -> None:
    template, tokenizer = chat("qwen3", enable_thinking=False)
    assert tokenizer.decode(asked(template, tokenizer, ONE).ids).endswith("</think>\n\n")
    template, tokenizer = chat("qwen3")
    assert tokenizer.decode(asked(template, tokenizer, ONE).ids).endswith("assistant\n")


@pytest.mark.parametrize("name", GOOD)
def test_no_bos_is_doubled(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    ids = fitted(template, tokenizer, TWO).ids
    per_round = {"llama2": 2}
    writes = "bos_token" in template.text
    assert ids.count(tokenizer.bos_token_id) == per_round.get(name, int(writes))
    assert tokenizer.bos_token_id not in ids[1:2]


def test_bos_that_a_form_of_two_fields_writes_is_not_doubled(chat: Chat) -> None:
    _, tokenizer = chat("chatml")
    form = Template(name="own.j2", text="<s>Q: {{ instruction }} {{ input }}\nA:")
    assert asked(form, tokenizer, ONE).ids.count(tokenizer.bos_token_id) == 1
    without = Template(name="own.j2", text="Q: {{ instruction }} {{ input }}\nA:")
    assert asked(without, tokenizer, ONE).ids == asked(form, tokenizer, ONE).ids


@pytest.mark.parametrize("name", [*GOOD, None])
@pytest.mark.parametrize("where", ["instruction", "input", "output"])
def test_control_tokens_that_people_wrote_stay_text(
    chat: Chat, name: str | None, where: str
) -> None:
    template, tokenizer = chat(name or "chatml")
    if name is None:
        template = templates.load()
    marks = f"{ENDS[name or 'chatml']} {'<|User|>' if name == 'deepseek' else ''} <s> <|endoftext|>"
    record = replace(ONE, input="Ice.")
    dirty = replace(record, **{where: f"{getattr(record, where)} {marks} so"})  # type: ignore[arg-type]
    clean, encoded = (fitted(template, tokenizer, one) for one in (record, dirty))
    special = set(tokenizer.added_tokens_decoder)

    def specials(ids: list[int]) -> list[int]:
        return [token for token in ids if token in special]

    assert specials(encoded.ids) == specials(clean.ids)
    assert marks in tokenizer.decode(encoded.ids, skip_special_tokens=True)


@pytest.mark.parametrize("name", ["gemma", "mistral", "mistral-late"])
def test_system_that_a_template_refuses_stands_before_the_question(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    shown = replace(TWO, messages=(Message(role="system", content="Be brief."), *TWO.messages))
    text = tokenizer.decode(fitted(template, tokenizer, shown).ids)
    assert "Be brief.\n\nWhat is ice?" in text
    assert any("system" in fault for fault in traits_of(template, tokenizer).faults())


def test_roles_that_a_template_refuses_are_an_input_error(chat: Chat) -> None:
    template, tokenizer = chat("mistral")
    shown = replace(TWO, messages=(*TWO.messages[:1], *TWO.messages[:2]))
    with pytest.raises(InputError, match=r"template 'chat': .*must alternate"):
        fit(template, tokenizer, shown, max_length=1000)


def test_template_without_a_generation_prompt_is_named(chat: Chat) -> None:
    traits = traits_of(*chat("without-opening"))
    assert traits.is_cuttable
    assert "must write '<|im_start|>assistant" in traits.faults()[0]


def test_template_that_is_no_prefix_of_itself_is_refused(chat: Chat) -> None:
    template, tokenizer = chat("counting")
    with pytest.raises(InputError, match=r"cannot be cut at the answer: .* give another"):
        fit(template, tokenizer, ONE, max_length=1000)


@pytest.mark.parametrize("name", GOOD)
def test_healthy_templates_have_no_faults_of_cutting(chat: Chat, name: str) -> None:
    traits = traits_of(*chat(name))
    assert traits.is_cuttable
    assert traits.has_opening
    assert traits.takes_system == (name not in ("gemma", "mistral", "mistral-late"))
    assert traits.is_stable == (name != "qwen3")


def test_oldest_turns_give_way_never_system_question_or_answer(chat: Chat) -> None:
    template, tokenizer = chat("chatml")
    shown = replace(
        TWO,
        messages=(Message(role="system", content="Be brief."), *TWO.messages, *TWO.messages),
    )
    whole = fitted(template, tokenizer, shown)
    cut = fitted(template, tokenizer, shown, max_length=len(whole.ids) - 1)
    assert cut.dropped_turns == 2
    assert tokenizer.decode(cut.ids).startswith("<|im_start|>system\nBe brief.")
    assert len(trained(cut, tokenizer)) == 3
    question = asked(template, tokenizer, shown)
    least = asked(
        template, tokenizer, replace(shown, messages=(*shown.messages[:1], *TWO.messages[2:]))
    )
    assert asked(template, tokenizer, shown, max_length=len(least.ids)).ids == least.ids
    assert ask(template, tokenizer, shown, max_length=len(least.ids) - 1) is None
    assert len(question.ids) > len(least.ids)


@pytest.mark.parametrize("name", ["chatml", None])
def test_shots_are_earlier_turns_and_give_way_first(chat: Chat, name: str | None) -> None:
    template, tokenizer = chat("chatml")
    if name is None:
        template = templates.load()
    shots = [replace(ONE, output="Mud."), replace(ONE, instruction="What is ice?", output="Cold.")]
    encoded = asked(template, tokenizer, ONE, shots=shots, system="Be brief.")
    text = tokenizer.decode(encoded.ids)
    assert text.index("Be brief.") < text.index("Mud.") < text.index("Cold.")
    assert text.rindex("What does the river carry?") > text.index("Cold.")
    assert set(encoded.labels) == {IGNORED}
    fewer = asked(
        template, tokenizer, ONE, shots=shots, system="Be brief.", max_length=len(encoded.ids) - 1
    )
    assert fewer.dropped_turns == 2
    assert "Mud." not in tokenizer.decode(fewer.ids)
    assert "Cold." in tokenizer.decode(fewer.ids)


@pytest.mark.parametrize("name", GOOD)
def test_stop_tokens_are_eos_and_the_end_of_turn(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name)
    end = tokenizer.convert_tokens_to_ids(ENDS[name])
    assert stop_tokens(template, tokenizer) == {tokenizer.eos_token_id, end}


@pytest.mark.parametrize("name", [*GOOD, "instruct", "brief"])
def test_exported_template_asks_token_by_token_as_training_taught(chat: Chat, name: str) -> None:
    template, tokenizer = chat(name if name in GOOD else "llama3")
    if name not in GOOD:
        template = templates.load(name)
    exported = chat_template(template, tokenizer)
    for shown in (ONE, TWO):
        question = rows(shown)[:-1]
        ids = tokenizer.apply_chat_template(
            question, chat_template=exported, add_generation_prompt=True
        )["input_ids"]
        assert ids == asked(template, tokenizer, shown).ids
        whole = tokenizer.apply_chat_template(rows(shown), chat_template=exported)["input_ids"]
        ours = fitted(template, tokenizer, shown).ids
        assert whole[: len(ours)] == ours


def test_exported_template_holds_its_variables(chat: Chat) -> None:
    template, tokenizer = chat("qwen3", enable_thinking=False)
    text = tokenizer.apply_chat_template(
        rows(ONE)[:1], chat_template=chat_template(template, tokenizer),
        add_generation_prompt=True, tokenize=False,
    )  # fmt: skip
    assert text == tokenizer.decode(asked(template, tokenizer, ONE).ids)


def test_exported_form_puts_the_system_before_the_first_question(chat: Chat) -> None:
    _, tokenizer = chat("chatml")
    form = templates.load()
    shown = replace(TWO, messages=(Message(role="system", content="Be brief."), *TWO.messages))
    ids = tokenizer.apply_chat_template(
        rows(shown)[:-1], chat_template=chat_template(form, tokenizer), add_generation_prompt=True
    )["input_ids"]
    assert ids == asked(form, tokenizer, shown).ids


def test_clock_is_held_fixed(chat: Chat) -> None:
    for name in ("granite", "smollm3"):
        template, tokenizer = chat(name)
        text = tokenizer.decode(asked(template, tokenizer, ONE).ids)
        assert "strftime_now" not in template.text
        assert "July 26, 2024" in text or "26 July 2024" in text


def test_answer_of_which_the_template_leaves_a_part_out_ends_where_it_is_rendered(
    chat: Chat,
) -> None:
    template, tokenizer = chat("deepseek")
    thought = f"<think>{'Is it hard? ' * 9}</think>Hard water."
    shown = replace(
        TWO,
        messages=(TWO.messages[0], replace(TWO.messages[1], content=thought), *TWO.messages[2:]),
    )
    assert trained(fitted(template, tokenizer, shown), tokenizer) == [
        "Hard water.<|endoftext|>",
        "Wet earth.<|endoftext|>",
    ]
    last = replace(shown, messages=shown.messages[:2])
    assert trained(fitted(template, tokenizer, last), tokenizer) == ["Hard water.<|endoftext|>"]


def test_template_without_an_end_trains_the_last_answer_with_eos(chat: Chat) -> None:
    template, tokenizer = chat("human")
    traits = traits_of(template, tokenizer)
    assert traits.end is None
    assert not traits.is_stable
    encoded = fitted(template, tokenizer, TWO)
    assert trained(encoded, tokenizer) == [" Wet earth.<|endoftext|>"]
    assert encoded.prompt_ids == asked(template, tokenizer, TWO).ids
    assert completion_ids(template, tokenizer, "Wet earth.") == encoded.completion_ids


def test_template_that_begins_to_think_is_asked_and_named(chat: Chat) -> None:
    template, tokenizer = chat("thinker")
    assert tokenizer.decode(asked(template, tokenizer, ONE).ids).endswith("<think>\n")
    assert "no answer can be cut off" in traits_of(template, tokenizer).faults()[0]
    with pytest.raises(InputError, match="cannot be cut"):
        fit(template, tokenizer, ONE, max_length=1000)


def test_system_that_a_template_moves_stands_before_the_first_question(chat: Chat) -> None:
    template, tokenizer = chat("mistral-late")
    shown = replace(TWO, messages=(Message(role="system", content="Be brief."), *TWO.messages))
    encoded = fitted(template, tokenizer, shown)
    assert encoded.ids[: len(asked(template, tokenizer, shown).ids)] == (
        asked(template, tokenizer, shown).ids
    )
    assert len(trained(encoded, tokenizer)) == 2


@pytest.mark.parametrize(
    "variables",
    [{"tools": None}, {"tools": [{"name": "look", "strict": True, "of": None}]}, {"controls": {}}],
)
def test_exported_template_holds_variables_of_any_kind(
    chat: Chat, variables: dict[str, Any]
) -> None:
    template, tokenizer = chat("granite", **variables)
    ids = tokenizer.apply_chat_template(
        rows(ONE)[:1], chat_template=chat_template(template, tokenizer), add_generation_prompt=True
    )["input_ids"]
    assert ids == asked(template, tokenizer, ONE).ids


@pytest.mark.parametrize("scheme", ["each part", "first"])
@pytest.mark.parametrize("name", ["zephyr", "vicuna", "llama2", "mistral-late", "instruct"])
def test_tokenizer_that_begins_texts_with_a_space_puts_none_before_answers(
    chat: Chat, name: str, scheme: str
) -> None:
    template, tokenizer = chat("mistral-late" if name == "instruct" else name)
    if name == "instruct":
        template = templates.load()
    tokenizer = spaced(tokenizer, scheme)
    exported = chat_template(template, tokenizer)
    question = rows(ONE)[:-1]
    ids = tokenizer.apply_chat_template(
        question, chat_template=exported, add_generation_prompt=True
    )["input_ids"]
    whole = tokenizer.apply_chat_template(rows(ONE), chat_template=exported)["input_ids"]
    encoded = fitted(template, tokenizer, ONE)
    assert encoded.prompt_ids == asked(template, tokenizer, ONE).ids == ids
    assert encoded.ids == whole[: len(encoded.ids)]
    assert completion_ids(template, tokenizer, ONE.output) == encoded.completion_ids


def spaced(tokenizer: Any, scheme: str) -> Any:
    """Return a tokenizer as SentencePiece makes them, with a token for each character."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<unk>", *tokenizer.all_special_tokens]
    letters = [chr(number) for number in range(32, 127)] + ["\n", "\u2581", "\u2581\u2581"]
    letters += [f"\u2581{letter}" for letter in letters[:95]]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys([*marks, *letters]))}
    merges = [tuple(name) for name in letters if len(name) == 2]
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>"))
    if scheme == "first":
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
        )
    backend.decoder = decoders.Metaspace()
    backend.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="<|endoftext|>",
        additional_special_tokens=marks[1:],
    )  # fmt: skip
