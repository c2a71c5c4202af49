"""Scoring a label set: the probability of every label as a variant's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.inference.label_scores import label_log_probabilities, trie_of
from tuneproof.inference.variants import BASE, Variants
from tuneproof.prompts.fit import completion_ids

Calibration = Literal["none", "prior"]


def longest_label(tokenizer: Any, labels: Sequence[str]) -> int:
    """Return the tokens of the longest label, EOS counted."""
    return max(len(completion_ids(tokenizer, label)) for label in labels)


class LabelScorer:
    """Gives every label's probability after a prompt, normalised over the label set."""

    def __init__(
        self, variants: Variants, labels: Sequence[str], calibrate: Calibration = "none"
    ) -> None:
        """Tokenise the labels.

        Args:
            variants: The loaded models.
            labels: The label set.
            calibrate: ``prior`` divides what the base gives a label by what it gives it after the
                same prompt with an empty input (Zhao et al. 2021, "Calibrate Before Use").

        Raises:
            InputError: Two labels have the same tokens.
        """
        sequences = [completion_ids(variants.tokenizer, label) for label in labels]
        for place, sequence in enumerate(sequences):
            if sequence in sequences[:place]:
                twin = labels[sequences.index(sequence)]
                raise InputError(
                    f"the labels {twin!r} and {labels[place]!r} are the same to the tokenizer"
                )
        self._variants = variants
        self._labels = tuple(labels)
        self._trie = trie_of(sequences)
        self._is_calibrated = calibrate == "prior"
        self._priors: dict[str, Any] = {}

    def score(
        self, prompts: Sequence[Example], ids: Sequence[Sequence[int]]
    ) -> list[dict[str, dict[str, float]]]:
        """Return each label's probability, for each prompt by variant.

        Args:
            prompts: What is asked.
            ids: The same, as token ids.
        """
        names = self._variants.names
        scores = self._log_probabilities([list(row) for row in ids])
        if self._is_calibrated and BASE in names:
            for place, prompt in enumerate(prompts):
                scores[place, names.index(BASE)] -= self._prior(prompt.instruction)
        chances = scores.double().softmax(-1).tolist()
        return [
            {
                name: dict(zip(self._labels, row, strict=True))
                for name, row in zip(names, rows, strict=True)
            }
            for rows in chances
        ]

    def _prior(self, instruction: str) -> Any:
        """Return the base's log-probability of every label without an input, shape (labels,)."""
        if instruction not in self._priors:
            encoded = self._variants.ask(instruction, "", 1)
            assert encoded is not None  # it fitted with an input
            names = self._variants.names
            scores = self._log_probabilities([encoded.prompt_ids])
            self._priors[instruction] = scores[0, names.index(BASE)]
        return self._priors[instruction]

    def _log_probabilities(self, rows: list[list[int]]) -> Any:
        """Return log-probabilities, shape (rows, variants, labels)."""
        names = self._variants.names
        found = label_log_probabilities(
            self._variants.model,
            rows * len(names),
            self._trie,
            pad_token_id=self._variants.tokenizer.pad_token_id,
            forward=self._variants.routed([name for name in names for _ in rows]),
        )
        return found.unflatten(0, (len(names), len(rows))).transpose(0, 1).cpu()


def labelled(probabilities: Mapping[str, float], text: str) -> dict[str, Any]:
    """Return probabilities as a comparison file's answer holds them, with the label they give."""
    from tuneproof.inference.baselines import pick_label

    return {
        "label": pick_label(probabilities, text),
        "label_probabilities": {name: float(f"{p:.6g}") for name, p in probabilities.items()},
    }
