"""Scoring a label set: the exact probability of every label as the answer.

The labels' tokens (EOS included) form a trie, which is read behind each prompt; see
`tuneproof.inference.label_tree`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.template import Template
from tuneproof.inference.baselines import pick_label
from tuneproof.inference.label_tree import (
    Best,
    groups_by_length,
    label_log_probabilities,
    tree_window,
)
from tuneproof.inference.row_limit import RowLimit
from tuneproof.inference.trie import trie_of
from tuneproof.inference.variants import Variants
from tuneproof.prompts.fit import completion_ids

Calibration = Literal["none", "prior"]


def longest_label(variants: Variants, labels: Sequence[str]) -> int:
    """Return the tokens of the longest label in any variant's template, its end counted."""
    return max(
        len(completion_ids(form.template, variants.tokenizer, label))
        for form in variants.forms.values()
        for label in labels
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What reading the labels after a prompt says."""

    probabilities: dict[str, float]
    """By label."""
    written: list[int] | None
    """What greedy decoding would write, its stop token included; None where that is not known, as
    it is no label's beginning."""
    seconds: float
    """The prompt's share of the time it took."""


class LabelScorer:
    """Gives every label's probability after a prompt, normalised over the label set."""

    def __init__(
        self, variants: Variants, labels: Sequence[str], calibrate: Calibration = "none"
    ) -> None:
        """Tokenise the labels, for each variant as its template ends an answer.

        Args:
            variants: The loaded models.
            labels: The label set.
            calibrate: ``prior`` divides what the base gives a label by what it gives it after the
                same prompt with an empty input (Zhao et al. 2021, "Calibrate Before Use").

        Raises:
            InputError: Two labels have the same tokens.
        """
        self._variants = variants
        self._labels = tuple(labels)
        self._tries = {
            name: trie_of(sequences_of(form.template, variants.tokenizer, labels))
            for name, form in variants.forms.items()
        }
        self._calibrated = variants.untuned if calibrate == "prior" else []
        self._limit = RowLimit()
        self._priors: dict[tuple[str, tuple[int, ...]], torch.Tensor] = {}
        self._window: float | None = None  # not known yet

    def score(
        self, prompts: Sequence[Example], ids: Sequence[Mapping[str, Sequence[int]]]
    ) -> list[dict[str, dict[str, float]]]:
        """Return each label's probability, for each prompt by variant; see `read`."""
        rows = self.read(prompts, ids)
        return [{name: one.probabilities for name, one in row.items()} for row in rows]

    def read(
        self,
        prompts: Sequence[Example],
        ids: Sequence[Mapping[str, Sequence[int]]],
        stops: Collection[int] = (),
    ) -> list[dict[str, Reading]]:
        """Return what reading the labels says, for each prompt by variant.

        Args:
            prompts: What is asked.
            ids: The same as token ids, by variant.
            stops: Tokens that end an answer; without any, no answer is known.
        """
        rows: list[dict[str, Reading]] = [{} for _ in prompts]
        for name in self._variants.names:
            start = time.perf_counter()
            found = self._after(name, [list(row[name]) for row in ids])
            scores = torch.stack([one for one, _ in found])
            seconds = (time.perf_counter() - start) / len(prompts)
            if name in self._calibrated:
                asked = zip(prompts, ids, strict=True)
                scores = scores - torch.stack([self._prior(name, *one) for one in asked])
            chances = scores.double().softmax(-1).tolist()
            for row, values, (_, best) in zip(rows, chances, found, strict=True):
                known = None if best is None else self._tries[name].greedy(best.tolist(), stops)
                row[name] = Reading(
                    probabilities=dict(zip(self._labels, values, strict=True)),
                    written=known,
                    seconds=seconds,
                )
        return rows

    def _prior(self, name: str, prompt: Example, ids: Mapping[str, Sequence[int]]) -> torch.Tensor:
        """Return the log-probability of every label without the input, shape (labels,).

        Raises:
            InputError: There is no input apart from the question, so nothing to leave out.
        """
        encoded = self._variants.ask(name, replace(prompt, input=""), 1)
        assert encoded is not None  # it fitted with an input
        if list(encoded.prompt_ids) == list(ids[name]):
            raise InputError(
                f"{prompt.id}: it has no input apart from its question, and calibrate prior "
                "divides by what the base says without the input; leave it out (--calibrate none)"
            )
        key = name, tuple(encoded.prompt_ids)
        if key not in self._priors:
            self._priors[key] = self._after(name, [encoded.prompt_ids])[0][0]
        return self._priors[key]

    def _after(self, name: str, rows: list[list[int]]) -> list[tuple[torch.Tensor, Best]]:
        """Return a variant's log-probabilities, shape (labels,), and likeliest tokens by row."""
        model, trie = self._variants.model, self._tries[name]
        if self._window is None:
            self._window = tree_window(model, self._variants.routed([name] * 2))
        longest = max(map(len, rows)) + max(trie.depths(), default=0)
        as_tree = longest <= self._window

        def scored(some: Sequence[list[int]]) -> list[tuple[torch.Tensor, Best]]:
            values, best = label_log_probabilities(
                model,
                some,
                trie,
                pad_token_id=self._variants.tokenizer.pad_token_id,
                forward=self._variants.routed([name] * len(some)),
                as_tree=as_tree,
            )
            known = [None] * len(some) if best is None else best.cpu()
            return list(zip(values.cpu(), known, strict=True))

        results: dict[int, tuple[torch.Tensor, Best]] = {}
        for group in groups_by_length(rows, model.device):
            some = self._limit.run([rows[row] for row in group], scored, model.device)
            results.update(zip(group, some, strict=True))
        return [results[row] for row in range(len(rows))]


def sequences_of(template: Template, tokenizer: Any, labels: Sequence[str]) -> list[list[int]]:
    """Return the labels' tokens, each with its end; InputError where two are the same."""
    sequences = [completion_ids(template, tokenizer, label) for label in labels]
    for position, sequence in enumerate(sequences):
        if sequence in sequences[:position]:
            twin = labels[sequences.index(sequence)]
            raise InputError(
                f"the labels {twin!r} and {labels[position]!r} are the same to the tokenizer"
            )
    return sequences


def labelled(probabilities: Mapping[str, float], text: str) -> dict[str, Any]:
    """Return probabilities as a comparison file's answer holds them, with the label they give."""
    return {
        "label": pick_label(probabilities, text),
        "label_probabilities": {name: float(f"{p:.6g}") for name, p in probabilities.items()},
    }
