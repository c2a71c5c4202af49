from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.template import Template
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import Encoded, ask, completion_ids, fit, lengths

TEMPLATE = templates.load()
ASKED = "What does the river carry?"
ANSWER = "Mud and stones."
TEXT = "The river is slow and wide; in the winter there is ice on it.\n\n" * 20


def example(text: str = "", output: str = ANSWER, asked: str = ASKED) -> Example:
    return Example(id="r", task="t", instruction=asked, input=text, output=output, group="r")


def prompt_ids(template: Template, tokenizer: Any, asked: str, text: str) -> list[int]:
    encoded = ask(template, tokenizer, example(text, asked=asked), max_length=10**6)
    assert encoded is not None
    return encoded.prompt_ids


def shown(tokenizer: Any, encoded: Encoded | None) -> tuple[str, str]:
    assert encoded is not None
    return tokenizer.decode(encoded.prompt_ids), tokenizer.decode(encoded.completion_ids)


def test_short_record_is_left_whole_and_ends_in_eos(tokenizer: Any) -> None:
    encoded = fit(TEMPLATE, tokenizer, example("Ice."), max_length=500)
    prompt, completion = shown(tokenizer, encoded)
    assert prompt == TEMPLATE.render(ASKED, "Ice.")
    assert completion == ANSWER + "<|endoftext|>"
    assert encoded is not None
    assert encoded.completion_ids[-1] == tokenizer.eos_token_id
    assert not encoded.is_shortened


def test_asking_has_no_completion(tokenizer: Any) -> None:
    encoded = ask(TEMPLATE, tokenizer, example(), max_length=500)
    assert encoded is not None
    assert encoded.completion_ids == []


def test_exactly_fitting_record_is_not_shortened(tokenizer: Any) -> None:
    (size,) = lengths(TEMPLATE, tokenizer, [example(TEXT)])
    whole = fit(TEMPLATE, tokenizer, example(TEXT), max_length=size)
    assert whole is not None
    assert not whole.is_shortened
    assert len(whole.prompt_ids) + len(whole.completion_ids) == size
    cut = fit(TEMPLATE, tokenizer, example(TEXT), max_length=size - 1)
    assert cut is not None
    assert cut.is_shortened


def test_record_whose_question_and_answer_do_not_fit_is_refused(tokenizer: Any) -> None:
    (bare,) = lengths(TEMPLATE, tokenizer, [example()])
    assert fit(TEMPLATE, tokenizer, example(TEXT), max_length=bare - 1) is None
    assert fit(TEMPLATE, tokenizer, example(), max_length=bare - 1) is None
    assert fit(TEMPLATE, tokenizer, example(), max_length=0) is None


def test_input_that_does_not_fit_at_all_leaves_no_empty_heading(tokenizer: Any) -> None:
    (bare,) = lengths(TEMPLATE, tokenizer, [example()])
    encoded = fit(TEMPLATE, tokenizer, example(TEXT), max_length=bare)
    assert shown(tokenizer, encoded)[0] == TEMPLATE.render(ASKED, "")
    assert encoded is not None
    assert encoded.is_shortened


def check_longest_fitting_beginning(tokenizer: Any, text: str, max_length: int) -> None:
    """Check a shortened prompt against every cut at a token's end."""
    room = max_length - len(completion_ids(TEMPLATE, tokenizer, ANSWER))
    ends = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    cuts = {text[:end].rstrip() for _, end in ends} | {""}
    fitting = [cut for cut in cuts if len(prompt_ids(TEMPLATE, tokenizer, ASKED, cut)) <= room]
    encoded = fit(TEMPLATE, tokenizer, example(text), max_length=max_length)
    if not fitting:
        assert encoded is None
        return
    prompt, completion = shown(tokenizer, encoded)
    assert prompt == TEMPLATE.render(ASKED, max(fitting, key=len))
    assert completion == ANSWER + "<|endoftext|>"


@pytest.mark.parametrize("max_length", range(40, 400, 9))
def test_shortened_input_is_the_longest_beginning_that_fits(
    tokenizer: Any, max_length: int
) -> None:
    check_longest_fitting_beginning(tokenizer, TEXT.rstrip(), max_length)


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(st.sampled_from("the river \n\t.éü漢🌊0"), min_size=1, max_size=120).map(
        str.strip
    ),
    max_length=st.integers(min_value=40, max_value=160),
)
def test_any_text_is_shortened_within_the_limit_and_keeps_question_and_answer(
    tokenizer: Any, text: str, max_length: int
) -> None:
    encoded = fit(TEMPLATE, tokenizer, example(text), max_length=max_length)
    (bare,) = lengths(TEMPLATE, tokenizer, [example()])
    if bare > max_length:
        assert encoded is None
        return
    prompt, completion = shown(tokenizer, encoded)
    assert encoded is not None
    assert len(encoded.prompt_ids) + len(encoded.completion_ids) <= max_length
    assert prompt.startswith(f"### Instruction:\n{ASKED}\n\n")
    assert prompt.endswith("### Response:\n")
    assert completion == ANSWER + "<|endoftext|>"
    if "### Input:\n" in prompt:
        kept = prompt.split("### Input:\n", 1)[1].removesuffix("\n\n### Response:\n")
        assert text.startswith(kept)


@pytest.mark.slow
def test_gpt2_tokenizer_is_shortened_to_the_longest_beginning_too(shared_data: Path) -> None:
    folder = shared_data / "gpt2-tokenizer"
    if not folder.is_dir():
        pytest.skip("no gpt2-tokenizer in the public data")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "| 2012 | 2011 |\n\n\nétats-unis 🌊🌊 ,  ( 12034 ) \t the end of september \n" * 8
    for max_length in range(30, 260, 7):
        check_longest_fitting_beginning(tokenizer, text.strip(), max_length)


def test_lengths_are_those_of_fit_without_a_limit(tokenizer: Any) -> None:
    examples = [example(TEXT), example("", "No.")]
    expected = []
    for one in examples:
        encoded = fit(TEMPLATE, tokenizer, one, max_length=10**6)
        assert encoded is not None
        expected.append(len(encoded.prompt_ids) + len(encoded.completion_ids))
    assert lengths(TEMPLATE, tokenizer, examples) == expected


class Closing:
    """A tokenizer that begins texts with BOS and closes them with EOS, a token per word."""

    eos_token_id = 1
    name_or_path = "closing"

    def __call__(self, text: str, add_special_tokens: bool = True, **_: Any) -> dict[str, Any]:
        ids = [2 + len(word) for word in text.split()]
        return {"input_ids": [0, *ids, 1] if add_special_tokens else ids}

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def test_eos_that_the_tokenizer_puts_behind_a_prompt_is_taken_off() -> None:
    assert prompt_ids(TEMPLATE, Closing(), "a b", "")[0] == 0
    assert 1 not in prompt_ids(TEMPLATE, Closing(), "a b", "")
    assert completion_ids(TEMPLATE, Closing(), "a b") == [3, 3, 1]


def test_tokenizer_without_eos_is_refused() -> None:
    class Endless(Closing):
        eos_token_id = None  # type: ignore[assignment]

    with pytest.raises(InputError, match="has no EOS"):
        completion_ids(TEMPLATE, Endless(), "a")
