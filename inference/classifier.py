"""Classification heads of finished runs, ready to label texts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import read_json
from tuneproof.formats.example import Example
from tuneproof.formats.run import Head, Run
from tuneproof.formats.variant import described
from tuneproof.inference.baselines import pick_label
from tuneproof.inference.resident import DeviceMemory, Resident
from tuneproof.inference.row_limit import RowLimit
from tuneproof.models import load as models
from tuneproof.models.adapters import with_adapter
from tuneproof.models.device import Dtype
from tuneproof.models.four_bit import check_whole, weights_bytes
from tuneproof.models.head import head_tensors, tensor_hash, tokenize_texts
from tuneproof.models.weights import check_base, check_saved

BATCH_SIZE = 32
"""Texts that a CPU labels at once."""
BATCH_SIZE_ON_GPU = 256
"""Texts that a GPU labels at once."""


@dataclass(frozen=True, kw_only=True)
class LoadedHead:
    """One finished classification run, ready to answer."""

    described: dict[str, Any]
    """The run, as the comparison file records it."""
    labels: tuple[str, ...]
    """The label set, in the order that was asked for."""
    trained_labels: tuple[str, ...]
    """The label set in the order of the model's logits."""
    resident: Resident
    """Holds the classification model, in eval mode."""
    tokenizer: Any
    """Its tokenizer; it pads on the right."""
    max_length: int
    """Most tokens of a text; the rest is left out, as in training."""

    limit: RowLimit = field(default_factory=RowLimit)
    """How many texts are labelled together, where memory does not suffice for all."""

    @property
    def model(self) -> Any:
        """The classification model, in eval mode."""
        return self.resident.model

    @property
    def batch_size(self) -> int:
        """Texts labelled at once."""
        return BATCH_SIZE if self.resident.device == "cpu" else BATCH_SIZE_ON_GPU

    def answer(self, prompts: Sequence[Example]) -> list[dict[str, Any]]:
        """Label prompts: for each its `label`, and the `label_probabilities` of all labels."""
        texts = [prompt.text for prompt in prompts]
        rows = tokenize_texts(texts, self.tokenizer, self.max_length)[0]
        answers: list[dict[str, Any]] = [{} for _ in texts]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))  # little padding
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            values = self.limit.run(
                [rows[index] for index in batch], self._probabilities, self.resident.device
            )
            for index, row in zip(batch, values, strict=True):
                by_name = dict(zip(self.trained_labels, row, strict=True))
                chances = {label: by_name[label] for label in self.labels}
                answers[index] = {
                    "text": None,
                    "label": pick_label(chances, texts[index]),
                    "label_probabilities": chances,
                }
        return answers

    def _probabilities(self, rows: Sequence[list[int]]) -> list[list[float]]:
        """Return the probabilities of one batch, (texts, labels in the model's order)."""
        import torch

        from tuneproof.kernels.answering import fast_answering

        batch = self.tokenizer.pad({"input_ids": list(rows)}, return_tensors="pt")
        with torch.inference_mode(), fast_answering(self.model):
            logits = self.model(**batch.to(self.model.device)).logits
        chances = logits.float().softmax(-1).double()
        values: list[list[float]] = (chances / chances.sum(-1, keepdim=True)).tolist()
        return values


def load_head(
    run: Run,
    labels: Sequence[str],
    *,
    dtype: Dtype = "auto",
    device: str | None = None,
    memory: DeviceMemory | None = None,
) -> LoadedHead:
    """Load a finished run of the objective `classify`.

    Args:
        run: The run.
        labels: The label set to answer with; the run's own in any order.
        dtype: Of the base's weights; a model whose weights were all trained stays in float32.
        device: Where the model answers, as in `load_model`.
        memory: What else is loaded there; None where nothing is.

    Raises:
        InputError: Another objective or label set, a base whose weights are not those the run was
            trained on, or a head that is not the trained one.
    """
    head = run.head
    if head is None:
        raise InputError(
            f"run {run.name!r} has no classification head; it was trained to generate answers"
        )
    _check_labels(run.name, head.labels, labels)
    _check_order(run.saved, head.labels)
    began = time.perf_counter()
    check_saved(run)
    source = str(run.saved) if run.is_whole else run.base.model
    tokenizer = models.load_tokenizer(source, purpose="classify")
    if not run.is_whole:
        check_base(run)
        _check_saved(run, head.modules)

    def load() -> Any:
        model, _ = models.load_classifier(
            source,
            head.labels,
            pad_token_id=tokenizer.pad_token_id,
            dtype="float32" if run.is_whole else dtype,
            device=device,
            four_bit=run.quantization,
        )
        model = model if run.is_whole else with_adapter(model, run.adapter)
        check_whole(model, head.modules, where=run.name)
        _check_head(run.name, model, head)
        return model.eval()

    memory = memory or DeviceMemory()
    model = memory.load(load)
    seconds = round(time.perf_counter() - began, 3)
    cost = {"load_seconds": seconds, "weights_bytes": weights_bytes(model)}
    return LoadedHead(
        described=described(run) | {"kind": "head"} | cost,
        labels=tuple(labels),
        trained_labels=tuple(head.labels),
        resident=memory.add(model, load),
        tokenizer=tokenizer,
        max_length=run.max_length,
    )


def _check_labels(name: str, trained: Sequence[str], asked: Sequence[str]) -> None:
    missing, strange = sorted(set(asked) - set(trained)), sorted(set(trained) - set(asked))
    if missing or strange:
        faults = [f"it does not know {', '.join(map(repr, missing))}"] if missing else []
        faults += [f"it knows {', '.join(map(repr, strange))} as well"] if strange else []
        raise InputError(f"run {name!r} was trained on other labels: {'; '.join(faults)}")


def _check_order(saved: Path, trained: Sequence[str]) -> None:
    """Raise InputError where the saved config has the labels in another order than run.json."""
    names = read_json(saved / "config.json").get("id2label", {})
    if names != {str(index): label for index, label in enumerate(trained)}:
        raise InputError(
            f"{saved / 'config.json'}: the labels are {list(names.values())}, but run.json has "
            f"{list(trained)}; one of them was changed, and the mapping would be turned round"
        )


def _check_saved(run: Run, modules: Sequence[str]) -> None:
    """Raise InputError where the adapter's config does not say that all of the head is saved."""
    saved = read_json(run.adapter / "adapter_config.json").get("modules_to_save") or ()
    missing = [module for module in modules if module not in saved]
    if missing:
        raise InputError(
            f"the head of run {run.name!r} is not the one that was trained: {', '.join(missing)} "
            f"was left out of modules_to_save in {run.adapter / 'adapter_config.json'}, so that it "
            "is random at loading"
        )


def _check_head(name: str, model: Any, head: Head) -> None:
    """Raise InputError where the loaded head is not the one that the training left."""
    loaded = head_tensors(model, head.modules)
    hashes = {parameter: tensor_hash(value) for parameter, value in loaded.items()}
    for parameter, change in (head.tensors or {}).items():
        if hashes.get(parameter) != change.after:
            raise InputError(
                f"the head of run {name!r} is not the one that was trained: {parameter} differs. "
                "Usually the head was left out of modules_to_save, so that it is random at loading"
            )
