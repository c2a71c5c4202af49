"""Generating answers: every variant of every prompt, in one batch."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tuneproof.inference.config import Decoding
from tuneproof.inference.decode import Stopwatch, can_decode, decode, is_padded, left_padded
from tuneproof.inference.variants import Variants
from tuneproof.kernels.answering import fast_answering
from tuneproof.models.load import end_ids
from tuneproof.prompts import fit

THINK, THOUGHT = "<think>", "</think>"
"""Between these, models think before they answer."""
BLOCK = re.compile(f"{THINK}.*?(?:{THOUGHT}|\\Z)", re.DOTALL)
BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
ALIKE = 4
"""Rows are padded to each other's length up to so many times their own."""
OPENED_WITHIN = 16
"""So many last tokens of a prompt show whether it ends with the beginning of a thought."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a variant said."""

    text: str
    """The answer without special tokens and without what was only thought. Its indentation is kept;
    blank lines before it, and white space behind it, are not."""
    tokens: int
    """Tokens generated, EOS counted."""
    finish_reason: str
    """``eos``: it stopped by itself; ``length``: it was stopped."""
    thinking_tokens: int = 0
    """Those of `tokens` that were thought and not said."""

    def as_row(self) -> dict[str, Any]:
        """Return the answer as the comparison file holds it."""
        thought = {"thinking_tokens": self.thinking_tokens} if self.thinking_tokens else {}
        row = {"text": self.text, "tokens": self.tokens, "finish_reason": self.finish_reason}
        return row | thought


def answer_batch(
    variants: Variants,
    prompts: Sequence[Mapping[str, Sequence[int]]],
    decoding: Decoding,
    seed: int,
    stopwatch: Stopwatch | None = None,
    known: Sequence[Mapping[str, list[int] | None]] = (),
) -> list[dict[str, Answer]]:
    """Answer prompts by all variants at once.

    Args:
        variants: The loaded base and adapters.
        prompts: Token ids of each prompt, by variant.
        decoding: How tokens are chosen.
        seed: For sampling; greedy decoding ignores it.
        stopwatch: Is told of the time each variant takes.
        known: The tokens of answers that need not be generated, likewise; None: it must be.

    Returns:
        For each prompt the answers by variant name.
    """
    watch = stopwatch or Stopwatch()
    names = variants.names * len(prompts)
    rows = [list(prompt[name]) for prompt in prompts for name in variants.names]
    stops = stop_ids(variants)
    new = [row[name] for row in known for name in variants.names] or [None] * len(rows)
    left = [index for index, answer in enumerate(new) if answer is None]
    some, of = [rows[index] for index in left], [names[index] for index in left]
    if variants.engine is not None:
        made = variants.engine.answer(some, of, stops, decoding, seed, watch)
    else:
        torch.manual_seed(seed)
        made = _by_model(variants, some, of, stops, decoding, watch)
    for index, answer in zip(left, made, strict=True):
        new[index] = answer
    answers = [
        _answer(answer or [], stops, variants.tokenizer, prompt)
        for prompt, answer in zip(rows, new, strict=True)
    ]
    width = len(variants.names)
    return [
        dict(zip(variants.names, answers[start : start + width], strict=True))
        for start in range(0, len(answers), width)
    ]


def _by_model(
    variants: Variants,
    rows: Sequence[list[int]],
    names: Sequence[str],
    stops: set[int],
    decoding: Decoding,
    watch: Stopwatch,
) -> list[list[int]]:
    """Return each row's new tokens, by the built-in loop or, where that cannot, by `generate`."""
    new: list[list[int]] = [[] for _ in rows]

    def decoded(part: Sequence[int]) -> list[list[int]]:
        some, of = [rows[index] for index in part], [names[index] for index in part]
        output: list[list[int]]
        if can_decode(variants.model):
            output = decode(variants.model, some, of, variants.routed, stops, decoding, watch)
            return output
        watch.start()
        output = by_generate(variants, some, of, decoding)
        kept = zip(of, (up_to_stop(row, stops) for row in output), strict=True)
        watch.charge([name for name, row in kept for _ in row])  # by the tokens that it made
        return output

    apart = names if variants.model.device.type == "cuda" else None
    for part in parts_of(rows, is_padded=is_padded(variants.model), variants=apart):
        values = variants.limit.run(part, decoded, variants.model.device)
        for index, answer in zip(part, values, strict=True):
            new[index] = answer
    return new


def answer_one(
    variants: Variants,
    name: str,
    prompt: Sequence[int],
    decoding: Decoding,
    seed: int,
    show: Callable[[str], None],
) -> Answer:
    """Answer one prompt by one variant.

    Args:
        variants: The loaded base and adapters.
        name: The variant.
        prompt: Its token ids.
        decoding: How tokens are chosen.
        seed: For sampling.
        show: Is given the answer's text so far after every token, where the model's answers come
            so; see `can_decode`.
    """
    stops = stop_ids(variants)
    torch.manual_seed(seed)
    rows, so_far = [list(prompt)], list[int]()
    if not can_decode(variants.model):
        (row,) = by_generate(variants, rows, [name], decoding)
        return _answer(row, stops, variants.tokenizer, prompt)

    def on_token(_: int, token: int) -> None:
        so_far.append(token)
        show(_answer(so_far, stops, variants.tokenizer, prompt).text)

    def decoded(some: Sequence[list[int]]) -> list[list[int]]:
        output: list[list[int]] = decode(
            variants.model, some, [name], variants.routed, stops, decoding, on_token=on_token
        )
        return output

    (row,) = variants.limit.run(rows, decoded, variants.model.device)
    return _answer(row, stops, variants.tokenizer, prompt)


def parts_of(
    rows: Sequence[Sequence[int]], *, is_padded: bool, variants: Sequence[str] | None = None
) -> list[list[int]]:
    """Return the indices of rows that are answered together: all, or those of like length.

    Questions after examples are many times as long as those without; where rows are padded, they
    would make all as dear.

    Args:
        rows: Token ids.
        is_padded: Whether they are padded to the longest of a part.
        variants: The variant of each row, where each is to answer alone: a GPU takes about as long
            for the rows of one adapter as for all of them, and so for each adapter of a batch.
    """
    if variants is not None:
        alone = [
            [index for index, name in enumerate(variants) if name == one]
            for one in dict.fromkeys(variants)
        ]
        return [
            [indices[index] for index in part]
            for indices in alone
            for part in parts_of([rows[index] for index in indices], is_padded=is_padded)
        ]
    if not is_padded:
        return [list(range(len(rows)))]
    parts: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index])):
        if not parts or len(rows[index]) > ALIKE * len(rows[parts[-1][0]]):
            parts.append([])
        parts[-1].append(index)
    return [sorted(part) for part in parts]


def by_generate(
    variants: Variants, rows: list[list[int]], names: Sequence[str], decoding: Decoding
) -> list[list[int]]:
    """Return each row's new tokens by transformers' own `generate`, which knows every cache."""
    ids, mask = left_padded(rows, variants.tokenizer.pad_token_id, variants.model.device)
    settings = _settings(decoding, stop_ids(variants), variants.tokenizer.pad_token_id)
    with torch.inference_mode(), fast_answering(variants.model):
        output = variants.model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=settings,
            **variants.routed(names),
        )
    new: list[list[int]] = output[:, ids.shape[1] :].tolist()
    return new


def _settings(decoding: Decoding, stops: set[int], pad: int) -> Any:
    """Return transformers' settings for a way of decoding."""
    from transformers import GenerationConfig

    sampling = {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
    return GenerationConfig(
        max_new_tokens=decoding.max_new_tokens,
        do_sample=decoding.do_sample,
        pad_token_id=pad,
        eos_token_id=sorted(stops),
        **(sampling if decoding.do_sample else {}),
    )


def stop_ids(variants: Variants) -> set[int]:
    """Return the tokens that end an answer, for all variants alike.

    They are EOS, those that the model's generation config names, and the ends of turn of all the
    templates that are used.
    """
    named = end_ids(variants.model.generation_config)
    ends = [fit.stop_tokens(form.template, variants.tokenizer) for form in variants.forms.values()]
    return set(named).union(*ends)


def up_to_stop(row: Sequence[int], stops: set[int]) -> Sequence[int]:
    """Return a generated row up to its first stop token, that one among them."""
    end = next((index for index, token in enumerate(row) if token in stops), len(row))
    return row[: end + 1]


def _answer(
    row: Sequence[int], stops: set[int], tokenizer: Any, prompt: Sequence[int] = ()
) -> Answer:
    """Cut a generated row at its first stop token; what follows is padding.

    Args:
        row: The new tokens.
        stops: What ends an answer.
        tokenizer: The model's.
        prompt: What was asked; it may have begun to think.
    """
    end = next((index for index, token in enumerate(row) if token in stops), None)
    kept = list(row if end is None else row[:end])
    text, thinking = _said(kept, tokenizer, is_thinking=_begins_thought(prompt, tokenizer))
    return Answer(
        text=_trimmed(text),
        tokens=len(kept) + (end is not None),
        finish_reason="length" if end is None else "eos",
        thinking_tokens=thinking,
    )


def cleaned(text: str) -> str:
    """Return an answer that came as text as `Answer` has it: without what was only thought."""
    if THOUGHT in text and THINK not in text.partition(THOUGHT)[0]:
        text = THINK + text  # the prompt began the thought
    return _trimmed(BLOCK.sub("", text))


def _trimmed(text: str) -> str:
    return BLANK_LINES.sub("", text).rstrip()


def _said(tokens: list[int], tokenizer: Any, *, is_thinking: bool) -> tuple[str, int]:
    """Return the text of tokens without what was thought, and how many tokens thought it.

    Args:
        tokens: Generated, without the one that ended them.
        tokenizer: The model's.
        is_thinking: Whether a thought has begun before the first token.
    """
    hidden = _special(tokenizer)

    def text_of(count: int) -> str:
        kept = [token for token in tokens[:count] if token not in hidden]
        decoded: str = tokenizer.decode(kept, skip_special_tokens=False)
        return decoded

    before = THINK if is_thinking else ""
    whole = before + text_of(len(tokens))
    if THINK not in whole:
        return whole, 0
    count = 0
    for block in BLOCK.finditer(whole):
        first, last = (
            bisect_left(
                range(len(tokens) + 1), index - len(before), key=lambda count: len(text_of(count))
            )
            for index in block.span()
        )
        count += last - first
    return BLOCK.sub("", whole), count


def _special(tokenizer: Any) -> set[int]:
    """Return the tokens that are no part of an answer's text."""
    return {
        number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special and token.content not in (THINK, THOUGHT)
    }


def _begins_thought(prompt: Sequence[int], tokenizer: Any) -> bool:
    """Return whether a prompt ends within a thought, as the templates of some models do."""
    tail: str = tokenizer.decode(list(prompt[-OPENED_WITHIN:]), skip_special_tokens=False)
    return tail.rstrip().endswith(THINK)
