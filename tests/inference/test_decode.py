"""The lean loop gives the tokens of transformers' `generate`, for every variant and every row."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from inference.config import Decoding
from inference.decode import can_decode, decode
from inference.generate import by_generate, left_padded, stop_ids
from tests.inference.conftest import QUESTIONS

pytestmark = pytest.mark.slow
GREEDY = Decoding(max_new_tokens=24)


def batch(variants: Any) -> tuple[Any, Any, list[str]]:
    asked = [variants.ask(question, "", 24).prompt_ids for question in QUESTIONS]
    rows = [ids for ids in asked for _ in variants.names]
    ids, mask = left_padded(rows, variants.tokenizer.pad_token_id, variants.model.device)
    return ids, mask, variants.names * len(asked)


def decoded(variants: Any, stops: set[int], decoding: Decoding) -> list[list[int]]:
    ids, mask, names = batch(variants)
    route = lambda kept: variants.routed([names[row] for row in kept])  # noqa: E731
    return decode(variants.model, ids, mask, route, stops, decoding)


def cut(row: list[int], stops: set[int]) -> list[int]:
    end = next((place + 1 for place, token in enumerate(row) if token in stops), len(row))
    return row[:end]


def test_tokens_are_those_of_generate(variants: Any) -> None:
    stops = stop_ids(variants)
    ids, mask, names = batch(variants)
    expected = [cut(row, stops) for row in by_generate(variants, ids, mask, names, GREEDY)]
    found = decoded(variants, stops, GREEDY)
    assert found == expected
    lengths = {len(row) for row in found}
    assert min(lengths) < 24 and max(lengths) == 24  # some rows left the batch, some stayed


def test_nothing_stops_where_nothing_may(variants: Any) -> None:
    assert {len(row) for row in decoded(variants, {-1}, GREEDY)} == {24}


def test_one_token_is_enough(variants: Any) -> None:
    found = decoded(variants, {-1}, Decoding(max_new_tokens=1))
    assert found == [row[:1] for row in decoded(variants, {-1}, GREEDY)]


def test_sampling_follows_the_models_probabilities(variants: Any) -> None:
    ids, mask, names = batch(variants)
    ids, mask, names = ids[:1].expand(4000, -1), mask[:1].expand(4000, -1), names[:1] * 4000
    decoding = Decoding(max_new_tokens=1, do_sample=True, temperature=2.0, top_p=0.9)
    route = lambda kept: variants.routed([names[row] for row in kept])  # noqa: E731
    torch.manual_seed(0)
    drawn = torch.tensor(decode(variants.model, ids, mask, route, {-1}, decoding))[:, 0]
    with torch.no_grad():
        alone = ids[:1, mask[0] == 1]  # without its padding
        logits = variants.model(alone, **variants.routed(names[:1]))
    chances, order = (logits.logits[0, -1] / 2).softmax(-1).sort(descending=True)
    chances[chances.cumsum(0) - chances > 0.9] = 0
    expected = torch.zeros_like(chances).scatter(0, order, chances / chances.sum())
    counts = drawn.bincount(minlength=len(expected)) / 4000
    assert float((counts - expected).abs().max()) < 0.03
    assert float(counts[expected == 0].sum()) == 0


def test_models_that_forget_old_keys_are_left_to_generate() -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {
        "vocab_size": 50, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    }  # fmt: skip
    for kind, expected in (("llama", True), ("mistral", False), ("gemma3_text", False)):
        config = AutoConfig.for_model(kind, **shape, pad_token_id=0)
        if kind != "llama":
            config.sliding_window = 8
        assert can_decode(AutoModelForCausalLM.from_config(config)) is expected, kind
