"""The objective `generate`: instruction tuning with TRL's SFTTrainer."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.kernels.unlikelihood import default_weight
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.tuning.adapted import adapted, trained_in_float32
from tuneproof.tuning.arguments import sft_arguments
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.examples import Examples, encode, marked
from tuneproof.tuning.job import Job, check_model, make_trainer, with_rate

ENOUGH = 200
"""Validation records from which the share of right answers, not the loss, chooses a checkpoint."""


def prepare(config: TuneConfig, data: DataFolder) -> Job:
    """Load the model, turn the records into tokens, and make the trainer.

    Raises:
        InputError: Data or model cannot be used.
    """
    template = templates.load(config.template)
    tokenizer = models.load_tokenizer(config.model)
    model = models.load_model(config.model, dtype=config.weights_dtype, four_bit=config.four_bit)
    check_model(config, model, tokenizer)
    train = encode(data.train, template, tokenizer, config.max_length)
    if not train.rows:
        raise InputError(
            f"all {len(train.too_long)} training records are longer than max_length "
            f"{config.max_length} even without their input"
        )
    validation = encode(data.validation, template, tokenizer, config.max_length)
    price = price_of_repeating(config, data, models.width(model))
    return Job(
        trainer=_trainer(
            with_rate(config, model), model, tokenizer, train, validation, price, has_labels(data)
        ),
        counts={"train": train.counts(), "validation": validation.counts()},
        facts={
            "template": {"name": template.name, "text": template.text},
            "quantization": config.four_bit and asdict(config.four_bit),
            "unlikelihood": price,
        },
        summary=_summary(train.counts(), price),
        shown=tuple(marked(row, tokenizer) for row in train.rows[:2]),
    )


def price_of_repeating(config: TuneConfig, data: DataFolder, width: int) -> float:
    """Return the weight of the price; labels are too short to loop."""
    if has_labels(data):
        return 0.0
    return default_weight(width) if config.unlikelihood is None else config.unlikelihood


def has_labels(data: DataFolder) -> bool:
    """Return whether every task has a label set, so that an answer is right or wrong."""
    return {record.task for record in (*data.train, *data.validation)} <= set(data.labels)


def _trainer(
    config: TuneConfig,
    model: Any,
    tokenizer: Any,
    train: Examples,
    validation: Examples,
    price: float,
    counts_right: bool,
) -> Any:
    """Return TRL's trainer over the tokenised examples, with the adapter on the model."""
    from tuneproof.tuning.trainer import CompletionTrainer

    size, has_validation = len(train.rows), bool(validation.rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*reference model.*")
        trainer = make_trainer(
            CompletionTrainer,
            train.rows,
            validation.rows,
            weighting=config.loss_weighting,
            unlikelihood=price,
            model=adapted(config, model),
            args=sft_arguments(
                config,
                model.device.type,
                size,
                has_validation=has_validation,
                by_accuracy=counts_right and len(validation.rows) >= ENOUGH,
            ),
            counts_right=counts_right and has_validation,
            processing_class=tokenizer,
        )
    trained_in_float32(trainer.model)
    return trainer


def _summary(counts: dict[str, int], price: float) -> str:
    return (
        f"{counts['examples']:,} examples, {counts['tokens']:,} tokens of which "
        f"{counts['trained_tokens']:,} are trained on; {counts['shortened']:,} inputs shortened "
        f"({counts['shortened'] / counts['examples']:.1%}), "
        f"{counts['too_long']:,} left out as too long"
        + (f"; the training loss has {price:g} x the price of repeating in it" if price else "")
    )
