"""Panels: variants that answer together, over one model in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.run import is_classifier, read_facts
from tuneproof.inference.baselines import BASELINES, predict
from tuneproof.inference.classifier import Head, load_head
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.generate import answer_batch
from tuneproof.inference.label_scorer import LabelScorer, labelled, longest_label
from tuneproof.inference.speed import Speed
from tuneproof.inference.task import LabelTask
from tuneproof.inference.variants import Variants, load_variants

Rows = dict[str, dict[str, Any]]
"""The answers to one prompt, by variant, as the comparison file holds them."""
SPARE_TOKENS = 8
"""Tokens that a free answer may run past the longest label, so that running on is seen."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Variants that answer together."""

    described: list[dict[str, Any]]
    """One entry per variant, as the comparison file records it."""
    answer: Callable[[Sequence[Example], int], list[Rows]]
    """Answers a batch of prompts; the number is the seed, for sampling."""
    left_out: frozenset[str] = frozenset()
    """Ids of the prompts that are too long to be asked."""
    shortened: frozenset[str] = frozenset()
    """Ids of the prompts whose input is shortened to fit."""

    @property
    def names(self) -> list[str]:
        """The variants' names."""
        return [row["name"] for row in self.described]


def load_panels(
    items: Sequence[Example], config: CompareConfig, task: LabelTask | None
) -> tuple[list[Panel], dict[str, Any]]:
    """Load everything that is to answer, and say under which conditions.

    Returns:
        The panels, and `decoding` and `template` as the comparison file records them.

    Raises:
        InputError: A run cannot be used, alone or beside the others.
    """
    facts = {name: read_facts(config.runs, name) for name in config.run}
    heads = [name for name in config.run if is_classifier(facts[name])]
    if heads and task is None:
        raise InputError(
            f"run {heads[0]!r} trained a classification head; it can only label the test file of "
            "a data folder with one classification task"
        )
    panels: list[Panel] = []
    recorded: dict[str, Any] = {"decoding": None, "template": None}
    models = [name for name in config.run if name not in heads]
    if models or config.merged:
        loaded = load_variants(
            config.runs,
            models,
            dtype=config.dtype,
            merged=config.merged,
            has_four_bit_base=config.quantized is not None,
        )
        if task is not None:  # more tokens would only make more of a wrong answer
            most = longest_label(loaded[0].tokenizer, task.labels) + SPARE_TOKENS
            config = replace(config, max_new_tokens=min(config.max_new_tokens, most))
        panels += [of_models(variants, items, config, task) for variants in loaded]
        recorded = {"decoding": config.recorded(), "template": loaded[0].template.text}
        if task is not None:
            recorded["calibrate"] = config.calibrate
    if task is not None:
        for name in heads:
            panels.append(of_head(load_head(config.runs, name, task.labels, dtype=config.dtype)))
        baselines = None if config.no_baselines else of_baselines(task, items)
        panels += [baselines] if baselines else []
    _check_names([name for panel in panels for name in panel.names])
    return panels, recorded


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{name!r} is the name of two variants; rename the run's folder, or give "
                "--no-baselines where it is a baseline's"
            )


def of_models(
    variants: Variants, items: Sequence[Example], config: CompareConfig, task: LabelTask | None
) -> Panel:
    """Return a base and its adapters; where there are labels, these are scored as well."""
    scorer = LabelScorer(variants, task.labels, config.calibrate) if task else None
    reserve = longest_label(variants.tokenizer, task.labels) if task else 0
    asked = {
        item.id: variants.ask(item.instruction, item.input, config.max_new_tokens, reserve=reserve)
        for item in items
    }
    prompts = {name: found.prompt_ids for name, found in asked.items() if found is not None}
    speed = Speed(variants.described)

    def answer(batch: Sequence[Example], seed: int) -> list[Rows]:
        ids = [prompts[item.id] for item in batch]
        rows: list[Rows] = [
            {name: found.as_row() for name, found in by_variant.items()}
            for by_variant in speed.of(lambda: answer_batch(variants, ids, config, seed))
        ]
        if scorer is not None:
            for item, row, scored in zip(batch, rows, scorer.score(batch, ids), strict=True):
                for name, probabilities in scored.items():
                    row[name] |= labelled(probabilities, item.text)
        return rows

    return Panel(
        described=variants.described,
        answer=answer,
        left_out=frozenset(asked) - frozenset(prompts),
        shortened=frozenset(n for n, found in asked.items() if found and found.is_shortened),
    )


def of_head(head: Head) -> Panel:
    """Return a classification head."""
    (row,) = head.described
    return Panel(
        described=[row],
        answer=lambda batch, seed: [{row["name"]: answer} for answer in head.answer(batch)],
    )


def of_baselines(task: LabelTask, items: Sequence[Example]) -> Panel | None:
    """Return the classical baselines, or None where there are no training records to learn from."""
    records = task.train_records()
    if not records:
        return None
    texts = {item.id: item.text for item in items}

    @cache
    def predictions() -> dict[str, Rows]:  # for all prompts at once, when the first is asked for
        train = [record.text for record in records]
        outputs = [record.output for record in records]
        rows: dict[str, Rows] = {name: {} for name in texts}
        for baseline in BASELINES:
            found = predict(baseline, train, outputs, list(texts.values()), task.labels)
            for (name, text), probabilities in zip(texts.items(), found, strict=True):
                rows[name][baseline] = {"text": None, **labelled(probabilities, text)}
        return rows

    return Panel(
        described=[
            {
                "name": name,
                "kind": "baseline",
                "model": name,
                "adapter": None,
                "trained_on": len(records),
            }
            for name in BASELINES
        ],
        answer=lambda batch, seed: [predictions()[item.id] for item in batch],
    )
