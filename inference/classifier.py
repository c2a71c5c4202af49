"""Classification heads of finished runs, ready to label texts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import read_json
from tuneproof.formats.example import Example
from tuneproof.formats.run import described, is_classifier, read_facts
from tuneproof.inference.baselines import pick_label
from tuneproof.models import load as models
from tuneproof.models.four_bit import check_whole, four_bit_of, weights_bytes
from tuneproof.models.head import head_tensors, tensor_hash

BATCH_SIZE = 32
"""Texts labelled at once."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """One finished classification run, ready to answer."""

    described: list[dict[str, Any]]
    """Exactly one entry: the run, as the comparison file records it."""
    labels: tuple[str, ...]
    """The label set, in the order that was asked for."""
    trained_labels: tuple[str, ...]
    """The same in the order of the model's logits."""
    model: Any
    """The classification model, in eval mode."""
    tokenizer: Any
    """Its tokenizer; it pads on the right."""
    max_length: int
    """Most tokens of a text; the rest is left out, as in training."""

    def answer(self, prompts: Sequence[Example]) -> list[dict[str, Any]]:
        """Label prompts: for each its `label`, and the `label_probabilities` of all labels."""
        texts = [prompt.text for prompt in prompts]
        rows = tokenized(texts, self.tokenizer, self.max_length)[0]
        answers: list[dict[str, Any]] = [{} for _ in texts]
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))  # little padding
        for start in range(0, len(order), BATCH_SIZE):
            places = order[start : start + BATCH_SIZE]
            found = self._probabilities([rows[place] for place in places])
            for place, values in zip(places, found, strict=True):
                by_name = dict(zip(self.trained_labels, values, strict=True))
                chances = {label: by_name[label] for label in self.labels}
                answers[place] = {
                    "text": None,
                    "label": pick_label(chances, texts[place]),
                    "label_probabilities": chances,
                }
        return answers

    def _probabilities(self, rows: Sequence[list[int]]) -> list[list[float]]:
        """Return the probabilities of one batch, (texts, labels in the model's order)."""
        import torch

        from tuneproof.kernels.answering import lean

        batch = self.tokenizer.pad({"input_ids": list(rows)}, return_tensors="pt")
        with torch.inference_mode(), lean(self.model, attends=False):
            logits = self.model(**batch.to(self.model.device)).logits
        chances = logits.float().softmax(-1).double()
        values: list[list[float]] = (chances / chances.sum(-1, keepdim=True)).tolist()
        return values


def tokenized(
    texts: Sequence[str], tokenizer: Any, max_length: int
) -> tuple[list[list[int]], list[bool]]:
    """Return the token ids of texts as they are, and which of them were shortened.

    Special tokens are the tokenizer's own, and stay where the end of a text is left out.
    """
    if not texts:
        return [], []
    found = tokenizer(list(texts), truncation=True, max_length=max_length)
    ids = [row or [tokenizer.pad_token_id] for row in found["input_ids"]]  # an empty text
    return ids, [bool(encoding.overflowing) for encoding in found.encodings]


def load_head(
    runs: Path, name: str, labels: Sequence[str], *, dtype: models.Dtype = "auto"
) -> Head:
    """Load a finished run of the objective `classify`.

    Args:
        runs: The folder of runs.
        name: The run.
        labels: The label set to answer with; the run's own in any order.
        dtype: Of the base's weights; a model whose weights were all trained stays in float32.

    Raises:
        InputError: No such run, another objective or label set, a base whose weights are not those
            the run was trained on, or a head that is not the trained one.
    """
    facts = read_facts(runs, name)
    if not is_classifier(facts):
        raise InputError(
            f"run {name!r} has no classification head; it was trained to generate answers"
        )
    trained = tuple(facts["head"]["labels"])
    _check_labels(name, trained, labels)
    adapter, whole = runs / name / "adapter", runs / name / "model"
    is_adapter = not whole.is_dir()
    _check_order(adapter if is_adapter else whole, trained)
    began, base = time.perf_counter(), facts["base"]["model"]
    tokenizer = models.load_tokenizer(base if is_adapter else str(whole), purpose="classify")
    model, _ = models.load_classifier(
        base if is_adapter else str(whole),
        trained,
        pad_token_id=tokenizer.pad_token_id,
        dtype=dtype if is_adapter else "float32",
        four_bit=four_bit_of(facts),
    )
    if is_adapter:
        _check_files(adapter)
        if models.weights_hash(base) != facts["base"]["weights_sha256"]:
            raise InputError(
                f"the weights of {base!r} are not those that {name!r} was trained on; "
                "an adapter means nothing on other weights"
            )
        _check_saved(name, adapter, facts["head"]["modules"])
        model = with_adapter(model, adapter)
    check_whole(model, facts["head"]["modules"], where=name)
    _check_head(name, model, facts["head"])
    seconds = round(time.perf_counter() - began, 3)
    cost = {"load_seconds": seconds, "weights_bytes": weights_bytes(model)}
    return Head(
        described=[
            described(runs / name, facts, adapter if is_adapter else None) | {"kind": "head"} | cost
        ],
        labels=tuple(labels),
        trained_labels=trained,
        model=model.eval(),
        tokenizer=tokenizer,
        max_length=facts["config"]["max_length"],
    )


def with_adapter(model: Any, adapter: Path) -> Any:
    """Return a classification model with a saved adapter and head on it.

    Raises:
        InputError: The adapter cannot be loaded, or lacks a head.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    _check_files(adapter)
    try:
        return PeftModel.from_pretrained(model, str(adapter))
    except KeyError as error:
        raise InputError(f"the adapter in {adapter} lacks the head's {error}") from error
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"cannot load the adapter in {adapter}: {reason}") from error


def _check_labels(name: str, trained: Sequence[str], asked: Sequence[str]) -> None:
    missing, strange = sorted(set(asked) - set(trained)), sorted(set(trained) - set(asked))
    if missing or strange:
        told = [f"it does not know {', '.join(map(repr, missing))}"] if missing else []
        told += [f"it knows {', '.join(map(repr, strange))} as well"] if strange else []
        raise InputError(f"run {name!r} was trained on other labels: {'; '.join(told)}")


def _check_order(saved: Path, trained: Sequence[str]) -> None:
    """Raise InputError where the saved config has the labels in another order than run.json."""
    found = read_json(saved / "config.json").get("id2label", {})
    told = {str(index): label for index, label in enumerate(trained)}
    if found != told:
        raise InputError(
            f"{saved / 'config.json'}: the labels are {list(found.values())}, but run.json has "
            f"{list(trained)}; one of them was changed, and the mapping would be turned round"
        )


def _check_files(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():  # PEFT would ask the Hub for it
        raise InputError(f"{adapter} holds no {weights.name}")


def _check_saved(name: str, adapter: Path, modules: Sequence[str]) -> None:
    """Raise InputError where the adapter's config does not say that all of the head is saved."""
    told = read_json(adapter / "adapter_config.json").get("modules_to_save") or ()
    missing = [module for module in modules if module not in told]
    if missing:
        raise InputError(
            f"the head of run {name!r} is not the one that was trained: {', '.join(missing)} was "
            f"left out of modules_to_save in {adapter / 'adapter_config.json'}, so that it is "
            "random at loading"
        )


def _check_head(name: str, model: Any, head: dict[str, Any]) -> None:
    """Raise InputError where the loaded head is not the one that the training left."""
    found = {
        parameter: tensor_hash(value)
        for parameter, value in head_tensors(model, head["modules"]).items()
    }
    for parameter, hashes in head["tensors"].items():
        if found.get(parameter) != hashes["after"]:
            raise InputError(
                f"the head of run {name!r} is not the one that was trained: {parameter} differs. "
                "Usually the head was left out of modules_to_save, so that it is random at loading"
            )
