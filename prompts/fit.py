"""Rendering to tokens within a limit: the context gives way, never the question or the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.template import Template


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
    """Render and tokenise one record so that prompt and completion fit into `max_length` tokens.

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
    prompt = _shortened(template, tokenizer, instruction, input, room, len(prompt)) or bare
    return Encoded(prompt_ids=prompt, completion_ids=completion, is_shortened=True)


def prompt_ids(template: Template, tokenizer: Any, instruction: str, input: str) -> list[int]:  # noqa: A002
    """Return the rendered prompt's token ids."""
    ids: list[int] = tokenizer(template.render(instruction, input), verbose=False)["input_ids"]
    return ids[:-1] if _is_closed(tokenizer, ids) else ids


def completion_ids(tokenizer: Any, output: str) -> list[int]:
    """Return the answer's token ids and EOS; InputError where the tokenizer has no EOS."""
    ids: list[int] = tokenizer(output, add_special_tokens=False, verbose=False)["input_ids"]
    return [*ids, _eos(tokenizer)]


def lengths(
    template: Template, tokenizer: Any, examples: Sequence[tuple[str, str, str]]
) -> list[int]:
    """Return how many tokens prompt, answer and EOS hold together, where nothing is cut off.

    Args:
        template: Renders the prompts.
        tokenizer: As for `fit`.
        examples: Instruction, input and output of each record.
    """
    rendered = [template.render(asked, context) for asked, context, _ in examples]
    prompts = tokenizer(rendered, verbose=False)["input_ids"]
    outputs = [output for _, _, output in examples]
    completions = tokenizer(outputs, add_special_tokens=False, verbose=False)["input_ids"]
    return [
        len(prompt) - _is_closed(tokenizer, prompt) + len(completion) + 1
        for prompt, completion in zip(prompts, completions, strict=True)
    ]


def _eos(tokenizer: Any) -> int:
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer {tokenizer.name_or_path!r} has no EOS token to end answers"
        )
    return int(tokenizer.eos_token_id)


def _is_closed(tokenizer: Any, ids: list[int]) -> bool:
    """Return whether the tokenizer put an EOS behind the prompt, as some do; a prompt goes on."""
    return len(ids) > 1 and ids[-1] == tokenizer.eos_token_id


def _shortened(
    template: Template,
    tokenizer: Any,
    instruction: str,
    input: str,  # noqa: A002
    room: int,
    length: int,
) -> list[int] | None:
    """Return the prompt with the longest beginning of the input that fits, or None if none does.

    Args:
        template: As for `fit`.
        tokenizer: As for `fit`.
        instruction: As for `fit`.
        input: As for `fit`.
        room: Most tokens of the prompt.
        length: Tokens of the prompt with all of the input; more than `room`.
    """
    encoded = tokenizer(input, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ends = [end for _, end in encoded["offset_mapping"]]

    def prompt_with(keep: int) -> list[int]:
        return prompt_ids(template, tokenizer, instruction, input[: ends[keep - 1]].rstrip())

    keep = max(0, len(ends) - (length - room))
    best = None
    while keep > 0 and best is None:  # a cut can change how its neighbours tokenise
        prompt = prompt_with(keep)
        if len(prompt) <= room:
            best = prompt
        else:
            keep -= len(prompt) - room
    while keep < len(ends) and len(prompt := prompt_with(keep + 1)) <= room:
        best, keep = prompt, keep + 1
    return best
