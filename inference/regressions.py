"""Asking for regressions: general items, by a base in its own template and by what was tuned."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import zip_longest
from typing import Any

import torch

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.regressions import card_lines, read_broken
from tuneproof.files import existing_file, fingerprint, read_json, write_text
from tuneproof.formats.broken import Broken
from tuneproof.formats.codec import decode, has_schema
from tuneproof.formats.example import digest
from tuneproof.formats.regressions import (
    ASKED,
    SCHEMA,
    Answer,
    Answered,
    Item,
    Regressions,
    check_ids,
    read_items,
    write_regressions,
)
from tuneproof.inference.compare import PROMPTS_AT_ONCE, Progress, check_replaceable, even, stamp_of
from tuneproof.inference.config import RegressionsConfig
from tuneproof.inference.decode import left_padded
from tuneproof.inference.forms import BASE
from tuneproof.inference.generate import answer_batch
from tuneproof.inference.label_scores import sequences_of
from tuneproof.inference.sources import lineup, with_seeds
from tuneproof.inference.variants import NO_LIMIT, Variants, load_variants
from tuneproof.kernels.answering import fast_answering
from tuneproof.locks import at_work
from tuneproof.models import load as models

log = logging.getLogger(__name__)
SCORED_TOGETHER = 8
"""Items that are scored in one forward pass."""
TITLE = "What it broke"
"""The last section of a run's card, written when regressions were asked."""
Rows = dict[str, dict[str, Any]]
"""The answers to one item, by variant, as the file holds them."""
Prompts = Mapping[str, Sequence[int]]
"""The tokens of one item's prompt, by variant."""


def compare_regressions(config: RegressionsConfig) -> Regressions:
    """Ask the regression set, and the user's own items, and write the answers.

    An interrupted comparison goes on where it stopped when it is started again.

    Raises:
        InputError: Items or runs cannot be used, or another process is writing the answers.
    """
    check_replaceable(config.out, SCHEMA, "file of answers to general items")
    config = with_seeds(config)
    with at_work(config.out):
        return _compare(config)


def is_up_to_date(config: RegressionsConfig) -> bool:
    """Return whether the answers are already there, made from the same things."""
    if not config.out.is_file():
        return False
    document = read_json(config.out)
    return has_schema(document, SCHEMA) and document.get("identity") == key_of(with_seeds(config))


def key_of(config: RegressionsConfig) -> str:
    """Return a hash of all that decides the answers."""
    own = "" if config.must_work is None else fingerprint(existing_file(config.must_work))
    return digest(stamp_of(ASKED, config).key, own)


def items_of(config: RegressionsConfig) -> list[Item]:
    """Return what is asked; of a limit every kind gets its part."""
    items = read_items(ASKED)
    if config.must_work is not None:
        items += read_items(config.must_work)
        check_ids(items, config.must_work)
    if config.limit is None:
        return items
    kinds: dict[str, list[Item]] = {}
    for item in items:
        kinds.setdefault(item.kind, []).append(item)
    in_turn = [item for turn in zip_longest(*kinds.values()) for item in turn if item is not None]
    return in_turn[: config.limit]


def _compare(config: RegressionsConfig) -> Regressions:
    items = items_of(config)
    loaded = _load(config)
    variants = [name for part in loaded for name in part.names]
    left_out: set[str] = set()
    with Progress(config.out, key_of(config)) as progress:
        for part in loaded:
            left_out |= _ask(part, items, config, progress)
        kept = [item for item in items if item.id not in left_out]
        if not kept:
            raise InputError(f"all {len(items)} items are too long for the model")
        regressions = Regressions(
            identity=key_of(config),
            base=BASE,
            variants=tuple(variants),
            decoding=config.recorded(),
            left_out=tuple(item.id for item in items if item.id in left_out),
            items=tuple(_answered(item, progress.done[item.id]) for item in kept),
        )
        write_regressions(config.out, regressions)
        progress.finish()
    return regressions


def note_broken(config: RegressionsConfig, score: ReportConfig) -> Broken:
    """Return what the runs that were asked broke, and write it into their cards.

    It takes the place of what stood there before.
    """
    broken = read_broken([config.out], score)
    for name in with_seeds(config).run:
        card = config.runs / name / "README.md"
        if name not in broken.variants or not card.is_file():
            continue
        text = card.read_text(encoding="utf-8")
        text = re.sub(rf"\n## {TITLE}\n.*\Z", "", text, flags=re.DOTALL)
        lines = ["", f"## {TITLE}", "", *card_lines(broken, name), ""]
        write_text(card, text + "\n".join(lines))
    return broken


def _answered(item: Item, rows: Rows) -> Answered:
    known = {one.name: getattr(item, one.name) for one in fields(Item)}
    answers = {name: decode(Answer, row, item.id) for name, row in rows.items()}
    return Answered(**known, answers=answers)


def _load(config: RegressionsConfig) -> list[Variants]:
    """Load the base in its own template, and what was tuned; the base's other forms are left out.

    Raises:
        InputError: There is no base that writes answers, or nothing was tuned.
    """
    named = lineup(config, config.merged)
    if named.heads or named.base is None:
        raise InputError("regressions are asked of runs that write answers; give --run")
    if not (named.subjects or named.merged):
        raise InputError("regressions are measured against the base; give --run or --adapter")
    loaded = load_variants(
        named.subjects,
        base=named.base,
        template=named.template,
        dtype=config.dtype,
        device=config.device,
        merged=named.merged,
    )
    return [_without_other_forms(part) for part in loaded]


def _without_other_forms(part: Variants) -> Variants:
    kinds = part.kinds
    kept = [name for name in part.names if name == BASE or kinds[name] != "base"]
    return replace(
        part,
        forms={name: part.forms[name] for name in kept},
        described=[row for row in part.described if row["name"] in kept],
    )


def _ask(
    part: Variants, items: Sequence[Item], config: RegressionsConfig, progress: Progress
) -> set[str]:
    """Ask what is not answered yet; return the ids of the items that are too long."""
    ids = {item.id: _prompts(part, item, config) for item in items}
    fitting = [item for item in items if ids[item.id] is not None]
    written = [item for item in fitting if item.is_generated]
    by_length = sorted(written, key=lambda item: len(item.prompt) + len(item.input))
    start = 0
    for batch in even(by_length, config.batch_size or PROMPTS_AT_ONCE):
        if not all(progress.has(item.id, part.names) for item in batch):
            prompts = [ids[item.id] or {} for item in batch]
            answers = answer_batch(part, prompts, config, config.seed + start)
            for item, by_variant in zip(batch, answers, strict=True):
                progress.add(
                    item.id, {name: {"text": answer.text} for name, answer in by_variant.items()}
                )
        start += len(batch)
        log.debug("answered %s of %s", start, len(written))
    scored = [item for item in fitting if not item.is_generated]
    for batch in even(scored, SCORED_TOGETHER):
        if not all(progress.has(item.id, part.names) for item in batch):
            for item, row in zip(batch, _scored(part, batch, ids), strict=True):
                progress.add(item.id, row)
    return {item.id for item in items if ids[item.id] is None}


def _prompts(part: Variants, item: Item, config: RegressionsConfig) -> Prompts | None:
    """Return an item's prompt as tokens by variant; none for a text; None where it is too long."""
    if item.text:
        context = models.context_length(part.model)
        room = NO_LIMIT if context is None else context - part.virtual_tokens
        return {} if len(_tokens(part, item.text)) <= room else None
    prompts: dict[str, Sequence[int]] = {}
    for name in part.names:
        encoded = part.ask(name, item.example(), config.max_new_tokens)
        if encoded is None:
            return None
        prompts[name] = list(encoded.prompt_ids)
    return prompts


def _scored(
    part: Variants, items: Sequence[Item], prompts: Mapping[str, Prompts | None]
) -> list[Rows]:
    """Return what each variant makes of items that are scored, not written."""
    rows: list[Rows] = [{} for _ in items]
    for name in part.names:
        template = part.forms[name].template
        pairs: list[tuple[Sequence[int], Sequence[int]]] = []
        for item in items:
            if item.text:
                tokens = _tokens(part, item.text)
                pairs.append((tokens[:1], tokens[1:]))
            else:
                asked = (prompts[item.id] or {})[name]
                ends = sequences_of(template, part.tokenizer, item.choices)
                pairs += [(asked, tokens) for tokens in ends]
        chances = iter(log_likelihoods(part, name, pairs))
        for item, row in zip(items, rows, strict=True):
            if item.text:
                bits = -next(chances) / math.log(2) / _foretold_bytes(part, item.text)
                row[name] = {"bits_per_byte": round(bits, 5)}
            else:
                by_choice = {choice: next(chances) for choice in item.choices}
                row[name] = {"choice": max(item.choices, key=by_choice.__getitem__)}
    return rows


def _tokens(part: Variants, text: str) -> list[int]:
    """Return a text's tokens, after the one that begins texts where the tokenizer has one."""
    ids: list[int] = part.tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = part.tokenizer.bos_token_id
    return ids if begin is None else [begin, *ids]


def _foretold_bytes(part: Variants, text: str) -> int:
    """Return the bytes of what comes after the first of a text's tokens, without any template."""
    if part.tokenizer.bos_token_id is not None:
        return len(text.encode())
    return max(len(part.tokenizer.decode(_tokens(part, text)[1:]).encode()), 1)


def log_likelihoods(
    part: Variants, name: str, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> list[float]:
    """Return the log-likelihood, in nats, of each continuation after its prompt.

    Args:
        part: The loaded models.
        name: The variant that reads.
        pairs: Token ids of prompts and of what comes after them.
    """
    rows = [[*prompt, *after] for prompt, after in pairs]
    ids, mask = left_padded(rows, part.tokenizer.pad_token_id, part.model.device)
    kept = max(len(after) for _, after in pairs) + 1
    with torch.inference_mode(), fast_answering(part.model):
        logits = part.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=kept,
            **part.routed([name] * len(rows)),
        ).logits  # (pairs, kept, vocabulary)
    return [
        float(
            logits[row, -len(after) - 1 : -1]
            .float()
            .log_softmax(-1)
            .gather(1, ids[row, -len(after) :, None])
            .double()
            .sum()
        )
        for row, (_, after) in enumerate(pairs)
    ]
