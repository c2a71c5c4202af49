"""Generating answers: every variant of every prompt, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tuneproof.inference.config import Decoding
from tuneproof.inference.decode import can_decode, decode, left_padded
from tuneproof.inference.variants import Variants
from tuneproof.prompts.fit import stop_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a variant said."""

    text: str
    """The answer without special tokens, stripped."""
    tokens: int
    """Tokens generated, EOS counted."""
    finish_reason: str
    """``eos``: it stopped by itself; ``length``: it was stopped."""

    def as_row(self) -> dict[str, Any]:
        """Return the answer as the comparison file holds it."""
        return {"text": self.text, "tokens": self.tokens, "finish_reason": self.finish_reason}


def answer_batch(
    variants: Variants, prompts: Sequence[Sequence[int]], decoding: Decoding, seed: int
) -> list[dict[str, Answer]]:
    """Answer prompts by all variants at once.

    Args:
        variants: The loaded base and adapters.
        prompts: Token ids of each prompt.
        decoding: How tokens are chosen.
        seed: For sampling; greedy decoding ignores it.

    Returns:
        For each prompt the answers by variant name.
    """
    names = variants.names * len(prompts)
    rows = [list(prompt) for prompt in prompts for _ in variants.names]
    stops = stop_ids(variants)
    torch.manual_seed(seed)
    if can_decode(variants.model):
        new = decode(variants.model, rows, names, variants.routed, stops, decoding)
    else:
        new = by_generate(variants, rows, names, decoding)
    answers = [_answer(row, stops, variants.tokenizer) for row in new]
    width = len(variants.names)
    return [
        dict(zip(variants.names, answers[start : start + width], strict=True))
        for start in range(0, len(answers), width)
    ]


def by_generate(
    variants: Variants, rows: list[list[int]], names: Sequence[str], decoding: Decoding
) -> list[list[int]]:
    """Return each row's new tokens by transformers' own `generate`, which knows every cache."""
    ids, mask = left_padded(rows, variants.tokenizer.pad_token_id, variants.model.device)
    settings = _settings(decoding, stop_ids(variants), variants.tokenizer.pad_token_id)
    with torch.inference_mode():
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
    """Return the tokens that end an answer: EOS, the template's end of turn, and the model's."""
    named = variants.model.generation_config.eos_token_id
    listed = named if isinstance(named, list) else [named]
    known = stop_tokens(variants.template, variants.tokenizer)
    return known | {token for token in listed if token is not None}


def _answer(row: list[int], stops: set[int], tokenizer: Any) -> Answer:
    """Cut a generated row at its first stop token; what follows is padding."""
    end = next((place for place, token in enumerate(row) if token in stops), None)
    kept = row if end is None else row[:end]
    return Answer(
        text=tokenizer.decode(kept, skip_special_tokens=True).strip(),
        tokens=len(kept) + (end is not None),
        finish_reason="length" if end is None else "eos",
    )
