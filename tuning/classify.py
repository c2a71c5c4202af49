"""The objective `classify`: a classification head, trained with transformers' Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.label_order import Mapping, check_mapping
from tuneproof.models import load as models
from tuneproof.models.head import head_tensors, tensor_hash
from tuneproof.tuning.adapted import adapted
from tuneproof.tuning.arguments import head_arguments
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.job import Job, Say, check_model, make_trainer, with_rate
from tuneproof.tuning.labelled import Labelled, encode, label_set, marked, summary

CHECKED = 1000
"""Examples that the mapping of the labels is checked on."""


def prepare(config: TuneConfig, data: DataFolder) -> Job:
    """Load the model with a head for the labels, tokenise the texts, and make the trainer.

    Raises:
        InputError: Data or model cannot be used.
    """
    labels = label_set(data)
    tokenizer = models.load_tokenizer(config.model, purpose="classify")
    from transformers import set_seed  # heavy; what is wrong with the data is said before

    set_seed(config.seed)  # a new head draws its first weights from the global state
    model, head = models.load_classifier(
        config.model,
        labels,
        pad_token_id=tokenizer.pad_token_id,
        dtype=config.weights_dtype,
        four_bit=config.four_bit,
    )
    check_model(config, model, tokenizer, head)
    train = encode(data.train, labels, tokenizer, config.max_length)
    validation = encode(data.validation, labels, tokenizer, config.max_length)
    trainer = _trainer(with_rate(config, model), model, head, tokenizer, train, validation)
    known = {"labels": labels, "modules": head, "pad_token_id": tokenizer.pad_token_id}
    before = _hashes(trainer.model, head)
    return Job(
        trainer=trainer,
        counts={"train": train.counts(), "validation": validation.counts()},
        facts={
            "template": None,
            "head": known,
            "quantization": config.four_bit and asdict(config.four_bit),
        },
        summary=summary(train, labels),
        shown=tuple(marked(row, labels, tokenizer) for row in train.rows[:2]),
        finish=partial(_finish, trainer, validation if validation.rows else train, known, before),
    )


def _trainer(
    config: TuneConfig,
    model: Any,
    head: Sequence[str],
    tokenizer: Any,
    train: Labelled,
    validation: Labelled,
) -> Any:
    """Return the trainer over the tokenised texts, with the adapter on the model."""
    from tuneproof.tuning.head_trainer import HeadTrainer

    size, has_validation = len(train.rows), bool(validation.rows)
    arguments = head_arguments(config, model.device.type, size, has_validation=has_validation)
    return make_trainer(
        HeadTrainer,
        train.rows,
        validation.rows,
        model=adapted(config, model, head),
        args=arguments,
        processing_class=tokenizer,
    )


def _finish(
    trainer: Any,
    examples: Labelled,
    known: dict[str, Any],
    before: dict[str, str],
    saved: Path,
    say: Say,
) -> dict[str, Any]:
    """Save the labels beside the weights, and check that head and labels are what they should be.

    Raises:
        InputError: The head was not trained, or its weights are no numbers.
    """
    trainer.model.config.save_pretrained(str(saved))  # PEFT saves its own config only
    after = _hashes(trainer.model, known["modules"])
    _check_trained(trainer, known["modules"], before, after)
    mapping = _mapping(trainer, examples, known["labels"])
    warnings = [mapping.warning()] if mapping.is_turned else []
    for line in warnings:
        say(f"WARNING: {line}")
    accuracy = {
        "on": "train" if trainer.eval_dataset is None else "validation",
        "examples": len(examples.rows[:CHECKED]),
        "value": mapping.accuracy,
    }
    tensors = {name: {"before": before[name], "after": after[name]} for name in after}
    return {"head": known | {"tensors": tensors}, "accuracy": accuracy, "warnings": warnings}


def _hashes(model: Any, head: Sequence[str]) -> dict[str, str]:
    return {name: tensor_hash(value) for name, value in head_tensors(model, head).items()}


def _check_trained(
    trainer: Any, head: Sequence[str], before: dict[str, str], after: dict[str, str]
) -> None:
    """Raise InputError where part of the head is not finite, or is as it was before."""
    for name, value in head_tensors(trainer.model, head).items():
        if not bool(value.isfinite().all()):
            raise InputError(
                f"the head's {name} is not finite after the training; a lower learning_rate may "
                "help"
            )
        if after[name] == before[name]:
            raise InputError(
                f"the head was not trained: {name} is what it was before the "
                f"{trainer.state.global_step:,} steps. Either it was left out of what is trained, "
                "or the learning rate never left 0"
            )


def _mapping(trainer: Any, examples: Labelled, labels: Sequence[str]) -> Mapping:
    """Compare what the model says of examples with their labels.

    Both go by name, so that an id that means one label in the rows and another one in the model's
    config is noticed.
    """
    from datasets import Dataset

    scores = trainer.predict(Dataset.from_list(examples.rows[:CHECKED])).predictions
    names = trainer.model.config.id2label
    given = [names[int(place)] for place in scores.argmax(-1)]
    return check_mapping(examples.outputs[:CHECKED], given, labels)
