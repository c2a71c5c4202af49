"""Panels: what answers together. Variants over one model, a classification head, or baselines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example, read_examples
from tuneproof.formats.run import finished_run
from tuneproof.inference.baselines import BASELINES, predict
from tuneproof.inference.classifier import LoadedHead, load_head
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.generate import answer_batch
from tuneproof.inference.label_scores import LabelScorer, labelled, longest_label
from tuneproof.inference.variants import Variants, load_variants

Rows = dict[str, dict[str, Any]]
"""The answers to one prompt, by variant, as the comparison file holds them."""
SPARE_TOKENS = 8
"""Tokens that a free answer may run past the longest label, so that running on is seen."""


@dataclass(frozen=True, kw_only=True)
class LabelTask:
    """A task whose answers are labels."""

    name: str
    """The task, as the records name it."""
    labels: tuple[str, ...]
    """The label set, in the manifest's order."""
    train_file: Path
    """The training records beside the prompts; the baselines learn from them."""

    def train_records(self) -> list[Example]:
        """Return the task's training records; none where the file is missing."""
        if not self.train_file.is_file():
            return []
        return [record for record in read_examples(self.train_file) if record.task == self.name]


def find_task(prompts: Path, items: Sequence[Example]) -> LabelTask | None:
    """Return the labelled task that the prompts of a built folder ask for, or None.

    Raises:
        InputError: A prompt's reference is none of its task's labels.
    """
    folder = DataFolder(prompts.parent)
    labels = folder.labels
    tasks = {item.task for item in items}
    if len(tasks) != 1 or (name := next(iter(tasks))) not in labels:
        return None
    for item in items:
        if item.reference not in labels[name]:
            fault = unknown("label", item.reference or "", labels[name])
            raise InputError(f"{prompts}: {item.id}: {fault}")
    return LabelTask(name=name, labels=tuple(labels[name]), train_file=folder.file("train"))


@dataclass
class Speed:
    """Counts what variants generate, and how long it takes.

    Variants of one batch are answered together; each is charged its share of the rows.
    """

    variants: int
    """How many answer together."""
    seconds: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)
    """Generated so far, by variant."""

    def per_second(self, name: str) -> float | None:
        """Return a variant's tokens per second; None where nothing was asked."""
        if not self.seconds:
            return None
        return round(self.tokens[name] / (self.seconds / self.variants), 1)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Variants that answer together."""

    variants: list[dict[str, Any]]
    """One entry per variant, as the comparison file records it; its speed comes last."""
    answer: Callable[[Sequence[Example], int], list[Rows]]
    """Answers a batch of prompts; the number is the seed, for sampling."""
    left_out: frozenset[str] = frozenset()
    """Ids of the prompts that are too long to be asked."""
    shortened: frozenset[str] = frozenset()
    """Ids of the prompts whose input is shortened to fit."""
    speed: Speed | None = None
    """Of generating; None where nothing is generated."""

    @property
    def names(self) -> list[str]:
        """The variants' names."""
        return [row["name"] for row in self.variants]

    def described(self) -> list[dict[str, Any]]:
        """Return the variants as the comparison file records them, with their speed so far."""
        if self.speed is None:
            return self.variants
        return [
            row | {"tokens_per_second": self.speed.per_second(row["name"])} for row in self.variants
        ]


def load_panels(
    items: Sequence[Example], config: CompareConfig, task: LabelTask | None
) -> tuple[list[Panel], dict[str, Any]]:
    """Load everything that is to answer, and say under which conditions.

    Returns:
        The panels, and `decoding` and `template` as the comparison file records them.

    Raises:
        InputError: A run cannot be used, alone or beside the others.
    """
    runs = [finished_run(config.runs, name) for name in config.run]
    merged = [finished_run(config.runs, name) for name in config.merged]
    heads = [run for run in runs if run.is_classifier]
    if heads and task is None:
        raise InputError(
            f"run {heads[0].name!r} trained a classification head; it can only label the test file "
            "of a data folder with one classification task"
        )
    panels: list[Panel] = []
    conditions: dict[str, Any] = {"decoding": None, "template": None}
    if len(heads) < len(runs) or merged:
        loaded = load_variants(
            [run for run in runs if not run.is_classifier],
            dtype=config.dtype,
            merged=merged,
            has_four_bit_base=config.quantized is not None,
        )
        if task is not None:  # more tokens would only make more of a wrong answer
            most = (
                longest_label(loaded[0].template, loaded[0].tokenizer, task.labels) + SPARE_TOKENS
            )
            config = replace(config, max_new_tokens=min(config.max_new_tokens, most))
        panels += [of_models(variants, items, config, task) for variants in loaded]
        conditions = {"decoding": config.recorded(), "template": loaded[0].template.text}
        if task is not None:
            conditions["calibrate"] = config.calibrate
    if task is not None:
        panels += [of_head(load_head(run, task.labels, dtype=config.dtype)) for run in heads]
        baselines = None if config.no_baselines else of_baselines(task, items)
        panels += [baselines] if baselines else []
    _check_names([name for panel in panels for name in panel.names])
    return panels, conditions


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
    reserve = longest_label(variants.template, variants.tokenizer, task.labels) if task else 0
    asked = {
        item.id: variants.ask(item.instruction, item.input, config.max_new_tokens, reserve=reserve)
        for item in items
    }
    prompts = {name: encoded.prompt_ids for name, encoded in asked.items() if encoded is not None}
    speed = Speed(len(variants.names))

    def answer(batch: Sequence[Example], seed: int) -> list[Rows]:
        ids = [prompts[item.id] for item in batch]
        began = time.perf_counter()
        answers = answer_batch(variants, ids, config, seed)
        speed.seconds += time.perf_counter() - began
        rows: list[Rows] = []
        for by_variant in answers:
            speed.tokens.update({name: answer.tokens for name, answer in by_variant.items()})
            rows.append({name: answer.as_row() for name, answer in by_variant.items()})
        if scorer is not None:
            for item, row, scored in zip(batch, rows, scorer.score(batch, ids), strict=True):
                for name, probabilities in scored.items():
                    row[name] |= labelled(probabilities, item.text)
        return rows

    return Panel(
        variants=variants.described,
        answer=answer,
        left_out=frozenset(asked) - frozenset(prompts),
        shortened=frozenset(
            name for name, encoded in asked.items() if encoded and encoded.is_shortened
        ),
        speed=speed,
    )


def of_head(head: LoadedHead) -> Panel:
    """Return a classification head."""
    name = head.described["name"]
    return Panel(
        variants=[head.described],
        answer=lambda batch, seed: [{name: answer} for answer in head.answer(batch)],
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
            predicted = predict(baseline, train, outputs, list(texts.values()), task.labels)
            for (name, text), probabilities in zip(texts.items(), predicted, strict=True):
                rows[name][baseline] = {"text": None, **labelled(probabilities, text)}
        return rows

    return Panel(
        variants=[
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
