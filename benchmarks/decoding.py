"""Decoding: base and adapter answer prompts with a fixed number of tokens."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import Row, Settings, Side, Workers
from benchmarks.subjects import LLAMA_TYPES, RUN, gpt2, llama_type, run_on
from tuneproof.formats.example import TEST_PROMPTS, read_prompts
from tuneproof.formats.run_names import finished_run
from tuneproof.inference.compare import PROMPTS_AT_ONCE, even
from tuneproof.inference.config import Decoding
from tuneproof.inference.decode import decode, left_padded
from tuneproof.inference.variants import Variants, load_variants
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import ask

ALONE = 2
"""Prompts that are answered one at a time; all would take several minutes a round."""
SLOW_ROUNDS = 2
"""Of what is answered one at a time."""
NEW, FEWER_NEW, FEWER = 100, 40, 16
"""New tokens of an answer; and of models beside GPT-2, which are asked fewer prompts."""
USUAL = PROMPTS_AT_ONCE
"""Most prompts that `infer compare` answers at once."""


def measure(settings: Settings) -> list[Row]:
    """Return ours against one prompt at a time, and against a padded batch per model."""
    with gpt2(settings) as model:
        ids = questions(model, settings)
        rows = _rivals("", model, ids, new_tokens(settings), settings, goals=(15, 2))
    for name in LLAMA_TYPES:
        with llama_type(name, settings) as model:
            some = questions(model, settings)
            some = [some[index] for index in _of_all_lengths(some, min(FEWER, len(some)))]
            new = min(FEWER_NEW, new_tokens(settings))
            rows += _rivals(f"{name}, ", model, some, new, settings, goals=(15, 3))
    return rows


def _rivals(
    named: str,
    model: str,
    ids: list[list[int]],
    new: int,
    settings: Settings,
    goals: tuple[float, float],
) -> list[Row]:
    """Return ours against both ways to use `generate`, for one model.

    Args:
        named: Begins the description of the work.
        model: Its folder.
        ids: The prompts.
        new: Tokens of every answer.
        settings: How much is measured.
        goals: The least ratio to one prompt at a time, and to batches.
    """
    with run_on(model) as runs, Workers() as workers:
        count, few = len(ids), _of_all_lengths(ids, ALONE)
        by_us = partial(Side, prepare=partial(variants_of, runs))
        by_both = partial(Side, prepare=partial(both, model, runs))
        took, answers = workers.alternate(
            {
                "ours": by_us(run=partial(ours, ids=ids, new=new)),
                "at once": by_us(run=partial(ours, ids=ids, new=new, at_once=count)),
                "batches": by_both(run=partial(batches, ids=ids, new=new)),
                "one by one": by_both(
                    run=partial(_one_by_one, ids=[ids[index] for index in few], new=new),
                    most_rounds=SLOW_ROUNDS,
                ),
            },
            settings.rounds,
        )
    in_batches, in_one, by_batches, by_one = (rounds[-1] for rounds in answers.values())
    alone = [in_one[2 * index + variant] for index in few for variant in (0, 1)]
    work = f"{named}{count} prompts x base and adapter, exactly {new} new tokens each"
    return [
        Row(
            work=f"{work}, `--batch-size {count}`",
            against=f"transformers `generate`, one prompt at a time ({ALONE} of them, the time "
            f"times {count / ALONE:g})",
            ours=took["at once"],
            theirs=took["one by one"].times(count / ALONE),
            goal=goals[0],
            checked=f"{_same(alone, by_one)} of {2 * ALONE} answers the same",
        ),
        Row(
            work=work,
            against="transformers `generate`, one left-padded batch per model",
            ours=took["ours"],
            theirs=took["batches"],
            goal=goals[1],
            checked=f"{_same(in_batches, by_batches)} of {2 * count} answers the same",
        ),
    ]


def _of_all_lengths(ids: list[list[int]], count: int) -> list[int]:
    """Return the indices of so many prompts: as short, as usual and as long as all are."""
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    return order[len(ids) // (2 * count) :: len(ids) // count][:count]


def _same(ones: list[list[int]], others: list[list[int]]) -> int:
    return sum(one == other for one, other in zip(ones, others, strict=True))


def questions(model: str, settings: Settings) -> list[list[int]]:
    """Return the prompts that are asked, as tokens."""
    tokenizer, template = models.load_tokenizer(model), templates.load()
    prompts = read_prompts(TEST_PROMPTS)[: 8 if settings.is_small else 32]
    asked = [ask(template, tokenizer, row, max_length=10**6) for row in prompts]
    return [encoded.prompt_ids for encoded in asked if encoded is not None]


def new_tokens(settings: Settings) -> int:
    """Return how many tokens every answer has."""
    return 20 if settings.is_small else NEW


def variants_of(runs: Path) -> Variants:
    """Return base and adapter as `infer compare` loads them."""
    (variants,) = load_variants([finished_run(runs, RUN)], dtype="float32")
    return variants


def both(model: str, runs: Path) -> tuple[Any, Any]:
    """Return base and tuned model, as a script loads them that compares them."""
    from peft import PeftModel

    base, under = (models.load_model(model, dtype="float32") for _ in range(2))
    return base.eval(), PeftModel.from_pretrained(under, str(runs / RUN / "adapter")).eval()


def ours(
    variants: Variants, ids: list[list[int]], new: int, at_once: int = USUAL
) -> list[list[int]]:
    """Answer by all variants in batches of like length, as `infer compare` does."""
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    answers: list[list[int]] = [[] for _ in range(len(variants.names) * len(ids))]
    for batch in even(order, at_once):
        rows = [ids[index] for index in batch for _ in variants.names]
        names, decoding = variants.names * len(batch), Decoding(max_new_tokens=new)
        decoded = decode(variants.model, rows, names, variants.routed, set(), decoding)
        for number, answer in enumerate(decoded):
            which, variant = divmod(number, len(variants.names))
            answers[len(variants.names) * batch[which] + variant] = answer
    return answers


def batches(pair: tuple[Any, Any], ids: list[list[int]], new: int) -> list[list[int]]:
    """Answer by each model apart; the results go prompt by prompt, base before adapter."""
    base, tuned = (_by_generate(model, ids, new) for model in pair)
    return [row for rows in zip(base, tuned, strict=True) for row in rows]


def _one_by_one(pair: tuple[Any, Any], ids: list[list[int]], new: int) -> list[list[int]]:
    return [answer for row in ids for answer in batches(pair, [row], new)]


def _by_generate(model: Any, ids: list[list[int]], new: int) -> list[list[int]]:
    """Return exactly so many new tokens of each row by transformers; no row ends before."""
    import torch
    from transformers import GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    padded, mask = left_padded(ids, 0, model.device)
    with torch.inference_mode():
        output = model.generate(input_ids=padded, attention_mask=mask, generation_config=settings)
    rows: list[list[int]] = output[:, padded.shape[1] :].tolist()
    return rows
