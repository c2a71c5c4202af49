"""Rendering to tokens within a limit: the context gives way, never the question or the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prompts.templates import Template


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One example as token ids."""

    prompt_ids: list[int]
    """The rendered prompt, shape (prompt,)."""
    completion_ids: list[int]
    """The answer and EOS, shape (completion,); empty when asking."""
    is_shortened: bool
    """Whether part of the input was left out to keep within the limit."""


def fit(
    template: Template,
    tokenizer: Any,
    instruction: str,
    input: str,  # noqa: A002 - the record's name
    *,
    max_length: int,
    output: str | None = None,
) -> Encoded | None:
    """Render and tokenise one record so that prompt and completion hold at most `max_length` tokens.

    Where they are longer, the end of `input` is left out, at a token's boundary and as little as
    is needed. The prompt and the completion are tokenised apart, so that the tokens a model was
    trained after are those it is asked with.

    Args:
        template: Renders the prompt.
        tokenizer: A fast tokenizer; its EOS ends the completion, and no special token is added
            to the prompt except a BOS the tokenizer itself begins texts with.
        instruction: What is asked; never shortened.
        input: The context; shortened where needed.
        max_length: Limit in tokens. When asking, leave room for the new tokens.
        output: The answer to train on, or None when asking.

    Returns:
        The token ids, or None when they do not fit even without any input.
    """
    completion = [] if output is None else completion_ids(tokenizer, output)
    room = max_length - len(completion)
    prompt = prompt_ids(template, tokenizer, instruction, input)
    if len(prompt) <= room:
        return Encoded(prompt_ids=prompt, completion_ids=completion, is_shortened=False)
    bare = prompt_ids(template, tokenizer, instruction, "")
    if len(bare) > room:
        return None
    if not input:
        return None
    prompt = _shortened(template, tokenizer, instruction, input, room, len(prompt)) or bare
    return Encoded(prompt_ids=prompt, completion_ids=completion, is_shortened=True)


def prompt_ids(template: Template, tokenizer: Any, instruction: str, input: str) -> list[int]:  # noqa: A002
    """Return the rendered prompt's token ids."""
    ids: list[int] = tokenizer(template.render(instruction, input))["input_ids"]
    if ids and ids[-1] == tokenizer.eos_token_id and len(ids) > 1:
        ids = ids[:-1]  # some tokenizers close every text; a prompt goes on
    return ids


def completion_ids(tokenizer: Any, output: str) -> list[int]:
    """Return the answer's token ids and EOS."""
    ids: list[int] = tokenizer(output, add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id]


def _shortened(
    template: Template,
    tokenizer: Any,
    instruction: str,
    input: str,  # noqa: A002
    room: int,
    length: int,
) -> list[int] | None:
    """Return the prompt with the longest beginning of the input that fits, or None if none does."""
    offsets = tokenizer(input, add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    keep = len(offsets) - (length - room)
    while keep > 0:  # the cut can change how its neighbours tokenise, by a token or two
        prompt = prompt_ids(template, tokenizer, instruction, input[: offsets[keep - 1][1]].rstrip())
        if len(prompt) <= room:
            return prompt
        keep -= len(prompt) - room
    return None
