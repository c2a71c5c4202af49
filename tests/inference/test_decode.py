"""The decoding loop gives the tokens of transformers' `generate`, for every variant and every
row."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import pytest
import torch

from tests.inference.conftest import QUESTIONS, prompts_of
from tuneproof.inference import cuda_graph
from tuneproof.inference import decode as decode_module
from tuneproof.inference.config import Decoding
from tuneproof.inference.decode import Stopwatch, _parts, can_decode, decode, is_padded
from tuneproof.inference.generate import by_generate, stop_ids
from tuneproof.kernels import answering, decoding_attention
from tuneproof.models.adapters import core_of

pytestmark = pytest.mark.slow
GREEDY = Decoding(max_new_tokens=24)


def batch(variants: Any) -> tuple[list[list[int]], list[str]]:
    asked = prompts_of(variants, QUESTIONS, 24)
    rows = [ids[name] for ids in asked for name in variants.names]
    return rows, variants.names * len(asked)


def decoded(variants: Any, stops: set[int], decoding: Decoding) -> list[list[int]]:
    return decode(variants.model, *batch(variants), variants.routed, stops, decoding)


def cut(row: list[int], stops: set[int]) -> list[int]:
    end = next((index + 1 for index, token in enumerate(row) if token in stops), len(row))
    return row[:end]


@pytest.mark.parametrize(
    ("is_unpadded", "many"),
    [(True, 32), (True, 1), (False, 32)],
    ids=["copied", "unpadded", "plain"],
)
def test_tokens_are_those_of_generate(
    variants: Any, monkeypatch: pytest.MonkeyPatch, *, is_unpadded: bool, many: int
) -> None:
    stops = stop_ids(variants)
    expected = [cut(row, stops) for row in by_generate(variants, *batch(variants), GREEDY)]
    monkeypatch.setattr(decoding_attention, "GAP", 4)
    monkeypatch.setattr(answering, "MANY", many)
    if not is_unpadded:
        core = variants.model.get_base_model()
        monkeypatch.setitem(decode_module._LEAVES_OUT, core, False)
    assert is_padded(variants.model) is not is_unpadded
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
    (row, *_), (name, *_) = batch(variants)
    decoding = Decoding(max_new_tokens=1, do_sample=True, temperature=2.0, top_p=0.9)
    torch.manual_seed(0)
    given = ([row] * 4000, [name] * 4000, variants.routed)
    drawn = torch.tensor(decode(variants.model, *given, {-1}, decoding))[:, 0]
    with torch.no_grad():
        logits = variants.model(torch.tensor([row]), **variants.routed([name]))
    chances, order = (logits.logits[0, -1] / 2).softmax(-1).sort(descending=True)
    chances[chances.cumsum(0) - chances > 0.9] = 0
    expected = torch.zeros_like(chances).scatter(0, order, chances / chances.sum())
    counts = drawn.bincount(minlength=len(expected)) / 4000
    assert float((counts - expected).abs().max()) < 0.03
    assert float(counts[expected == 0].sum()) == 0


WINDOW = {"sliding_window": 8}
KINDS: dict[str, dict[str, Any]] = {
    "mistral": WINDOW, "gemma3_text": WINDOW, "qwen3": {}, "gpt_neox": {}, "opt": {"ffn_dim": 32},
    "stablelm": {}, "gemma2": WINDOW,
}  # fmt: skip


def of_kind(kind: str, **changes: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {
        "vocab_size": 50, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "pad_token_id": 0,
        "initializer_range": 0.3, **changes,
    }  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape)).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_many_kinds_write_what_plain_passes_do(kind: str) -> None:
    model = of_kind(kind, **KINDS[kind])
    is_left_to_generate, is_padded_by_us = kind == "gemma2", kind == "stablelm"
    assert can_decode(model) is not is_left_to_generate
    if is_left_to_generate:
        return
    assert is_padded(model) is is_padded_by_us
    draw = torch.Generator().manual_seed(0)
    prompts = [torch.randint(1, 50, (size,), generator=draw).tolist() for size in (3, 19, 11, 10)]
    found = decode(model, prompts, [""] * 4, lambda _: {}, {-1}, Decoding(max_new_tokens=12))
    for prompt, answer in zip(prompts, found, strict=True):
        text = list(prompt)
        with torch.no_grad():
            for _ in range(12):
                logits = model(input_ids=torch.tensor([text]), use_cache=False).logits
                text.append(int(logits[0, -1].argmax()))
        assert answer == text[len(prompt) :]


def test_the_model_is_left_as_it_was(variants: Any) -> None:
    decoded(variants, {-1}, GREEDY)
    core = variants.model.get_base_model()
    assert core.config._attn_implementation == "sdpa"
    assert not [name for name, each in core.named_modules() if "forward" in vars(each)]


def test_rows_that_begin_near_each_other_are_taken_together() -> None:
    found = decoding_attention.spans([50, 48, 40, 3, 0, 0], 60)
    assert [(each.rows.start, each.rows.stop, each.start) for each in found] == [
        (0, 3, 40),
        (3, 6, 0),
    ]
    assert found[0].hidden[:, 0, 0].sum(1).tolist() == [10, 8, 0]
    assert decoding_attention.spans([7, 7], 9)[0].hidden is None


def test_rows_are_not_taken_together_for_being_near_the_first_one() -> None:
    found = decoding_attention.spans([20, 10, 30], 40)  # where one variant ends and another begins
    assert [(each.rows.stop, each.start) for each in found] == [(2, 10), (3, 30)]


def test_parts_of_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneproof.inference.decode.AT_ONCE", 10)
    prompts = [[0] * length for length in (1, 5, 5, 20, 5, 5, 1)]
    assert list(_parts(("a", slice(1, 7)), prompts)) == [
        ("a", slice(1, 3)), ("a", slice(3, 4)), ("a", slice(4, 6)), ("a", slice(6, 7))
    ]  # fmt: skip


@pytest.mark.parametrize("most", [1, 30, 60])
def test_prompts_are_read_in_parts(
    variants: Any, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    expected = decoded(variants, {-1}, GREEDY)
    monkeypatch.setattr("tuneproof.inference.decode.AT_ONCE", most)
    assert decoded(variants, {-1}, GREEDY) == expected


def test_what_the_cache_held_before_does_not_matter(
    variants: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decoded(variants, {-1}, GREEDY)
    monkeypatch.setattr(
        torch.Tensor, "new_empty", lambda self, *shape: self.new_full(shape, torch.nan)
    )
    assert decoded(variants, {-1}, GREEDY) == expected


def test_static_steps_give_the_same_tokens(variants: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stops = stop_ids(variants)
    monkeypatch.setitem(decode_module._LEAVES_OUT, core_of(variants.model), False)
    expected = decoded(variants, stops, GREEDY)
    steps: list[int] = []
    run = cuda_graph.StaticStep.run

    def count(step: Any, new: Any, held: int) -> Any:
        steps.append(len(new))
        return run(step, new, held)

    monkeypatch.setattr(decode_module, "uses_static_steps", lambda model: True)
    monkeypatch.setattr(decode_module, "WORTH", 2)
    monkeypatch.setattr(cuda_graph.StaticStep, "run", count)
    assert decoded(variants, stops, GREEDY) == expected
    assert len(steps) > 10 and len(set(steps)) > 1  # also after rows have left the batch


def test_steps_are_freed_with_their_batch(variants: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(decode_module._LEAVES_OUT, core_of(variants.model), False)
    monkeypatch.setattr(decode_module, "uses_static_steps", lambda model: True)
    made = 0
    alive: weakref.WeakSet[cuda_graph.StaticStep] = weakref.WeakSet()
    prepare = cuda_graph.StaticStep.prepare

    def note(step: Any, *args: Any) -> None:
        nonlocal made
        made += 1
        alive.add(step)
        prepare(step, *args)

    monkeypatch.setattr(cuda_graph.StaticStep, "prepare", note)
    gc.collect()
    gc.disable()
    try:
        decoded(variants, {-1}, GREEDY)
        assert made and not alive
    finally:
        gc.enable()


def test_step_that_computes_something_else_is_not_repeated(
    variants: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(decode_module._LEAVES_OUT, core_of(variants.model), False)
    expected = decoded(variants, {-1}, GREEDY)
    monkeypatch.setattr(decode_module, "uses_static_steps", lambda model: True)
    run = cuda_graph.StaticStep.run
    monkeypatch.setattr(
        cuda_graph.StaticStep, "run", lambda self, new, held: run(self, new, held) + 100.0
    )
    assert decoded(variants, {-1}, GREEDY) == expected


def test_prompts_read_a_few_rows_at_a_time_give_the_same_tokens(
    variants: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(decode_module._LEAVES_OUT, core_of(variants.model), False)
    expected = decoded(variants, {-1}, GREEDY)
    monkeypatch.setattr(decode_module, "prompts_read_at_once", lambda model, longest: 3)
    assert decoded(variants, {-1}, GREEDY) == expected


def test_rows_that_have_ended_cost_nothing(variants: Any) -> None:
    watch = Stopwatch()
    stops = stop_ids(variants)
    rows, names = batch(variants)
    answers = decode(variants.model, rows, names, variants.routed, stops, GREEDY, watch)
    made = Counter[str]()
    for name, answer in zip(names, answers, strict=True):
        made[name] += len(answer) - 1  # the first token comes from reading the prompt
    assert watch.step_tokens == made
    assert sum(watch.step_seconds.values()) < sum(watch.seconds.values())
