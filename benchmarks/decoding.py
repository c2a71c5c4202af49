"""Base and adapter answer 32 prompts, exactly so many tokens each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.results import Row
from benchmarks.subjects import Settings, gpt2, records_of, run_on
from benchmarks.timing import Side, Workers
from inference.config import CompareConfig, Decoding
from inference.decode import decode
from inference.generate import left_padded
from inference.variants import Variants, load_variants
from prompts.prompt_files import TEST_PROMPTS, Prompt, read_prompts

RUN = "bench"
"""The run that `run_on` leaves."""
ALONE = 1
"""Prompts that are answered one at a time; all would take a quarter of an hour a round."""
USUAL = CompareConfig(run=(RUN,)).batch_size
"""Prompts that `infer compare` answers at once."""


def measure(settings: Settings) -> list[Row]:
    """Return ours against one prompt at a time, and against a padded batch per model."""
    prompts, new = questions(settings), new_tokens(settings)
    records = records_of(["a"] * 8, ["b"] * 8, "Say b.")
    count = len(prompts)
    with gpt2(settings) as model, run_on(model, records) as runs, Workers() as workers:
        ready = partial(asked, runs, prompts, new)
        took, found = workers.alternate(
            {
                "ours": Side(prepare=ready, run=partial(_by, ours, new=new)),
                "at once": Side(prepare=ready, run=partial(_by, ours, new=new, at_once=count)),
                "batches": Side(prepare=ready, run=partial(_by, _batches, new=new)),
                "one by one": Side(prepare=ready, run=partial(_by, _one_by_one, new=new)),
            },
            settings.rounds,
            warm_up=False,
        )
        same = {
            other: sum(a == b for a, b in zip(found[side][-1], found[other][-1], strict=False))
            for side, other in (("at once", "one by one"), ("ours", "batches"))
        }
    work = f"{count} prompts x base and adapter, exactly {new} new tokens each"
    return [
        Row(
            work=f"{work}, `--batch-size {count}`",
            against=f"transformers `generate`, one prompt at a time ({ALONE} of them, the time "
            f"times {count / ALONE:g})",
            ours=took["at once"],
            theirs=took["one by one"].times(count / ALONE),
            goal=15,
            checked=f"{same['one by one']} of {2 * ALONE} answers the same",
        ),
        Row(
            work=work,
            against="transformers `generate`, one left-padded batch per model",
            ours=took["ours"],
            theirs=took["batches"],
            goal=2,
            checked=f"{same['batches']} of {2 * count} answers the same",
        ),
    ]


def questions(settings: Settings) -> list[Prompt]:
    """Return the prompts that are asked."""
    return read_prompts(TEST_PROMPTS)[: 8 if settings.is_small else 32]


def new_tokens(settings: Settings) -> int:
    """Return how many tokens every answer has."""
    return 40 if settings.is_small else 200


def asked(runs: Path, prompts: list[Prompt], new: int) -> tuple[Variants, list[list[int]]]:
    """Return what answers, and the tokens of every prompt."""
    (variants,) = load_variants(runs, [RUN], dtype="float32")
    each = [variants.ask(prompt.prompt, prompt.input, new) for prompt in prompts]
    return variants, [encoded.prompt_ids for encoded in each if encoded is not None]


def _by(
    answer: Callable[..., list[list[int]]],
    given: tuple[Variants, list[list[int]]],
    **settings: int,
) -> list[list[int]]:
    return answer(*given, **settings)


def ours(
    variants: Variants, ids: list[list[int]], new: int, at_once: int = USUAL
) -> list[list[int]]:
    """Answer by all variants in batches of like length, as `infer compare` does."""
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    found: list[list[int]] = [[] for _ in range(len(variants.names) * len(ids))]
    for start in range(0, len(ids), at_once):
        places = order[start : start + at_once]
        rows = [ids[place] for place in places for _ in variants.names]
        names, decoding = variants.names * len(places), Decoding(max_new_tokens=new)
        answers = decode(variants.model, rows, names, variants.routed, set(), decoding)
        for number, answer in enumerate(answers):
            which, variant = divmod(number, len(variants.names))
            found[len(variants.names) * places[which] + variant] = answer
    return found


def _batches(variants: Variants, ids: list[list[int]], new: int) -> list[list[int]]:
    """Answer by each model apart; the results go prompt by prompt, base before adapter."""
    padded, mask = left_padded(ids, variants.tokenizer.pad_token_id, variants.model.device)
    adapted = by_generate(variants.model, padded, mask, new)
    with variants.model.disable_adapter():
        base = by_generate(variants.model, padded, mask, new)
    return [row for pair in zip(base, adapted, strict=True) for row in pair]


def _one_by_one(variants: Variants, ids: list[list[int]], new: int) -> list[list[int]]:
    """Answer the first prompts, each by each model apart."""
    answers = []
    for row in ids[:ALONE]:
        padded, mask = left_padded([row], variants.tokenizer.pad_token_id, variants.model.device)
        with variants.model.disable_adapter():
            answers += by_generate(variants.model, padded, mask, new)
        answers += by_generate(variants.model, padded, mask, new)
    return answers


def by_generate(model: Any, ids: Any, mask: Any, new: int) -> list[list[int]]:
    """Return exactly so many new tokens of each row by transformers; no row ends before."""
    import torch
    from transformers import GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    with torch.inference_mode():
        output = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
    rows: list[list[int]] = output[:, ids.shape[1] :].tolist()
    return rows
