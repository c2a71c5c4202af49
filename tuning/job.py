"""What an objective prepares: a trainer that is ready to start, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.models import load as models
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.learning_rate import default_learning_rate
from tuneproof.tuning.methods import METHODS

Say = Callable[[str], None]
Judge = Callable[[int, Mapping[str, float]], bool]
"""Asked after every evaluation whether the training is to be given up: gets the epoch, from 1, and
what was found (`eval_loss`, and `eval_accuracy` where labels are learned)."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, ready to start."""

    trainer: Any
    """Transformers' trainer, or one of its kind, over the model with its adapter."""
    counts: dict[str, dict[str, int]]
    """Of `train` and `validation`: examples, tokens, and what became of those too long."""
    facts: dict[str, Any]
    """What run.json says that only this objective knows."""
    summary: str
    """The examples in one line."""
    shown: tuple[str, ...]
    """Examples as text, with what is trained on between ``[[`` and ``]]``."""
    finish: Callable[[Path, Say], dict[str, Any]] = lambda saved, say: {}
    """Called after the training with the folder of the saved weights: completes and checks them,
    and returns what run.json is to say."""


def with_rate(config: TuneConfig, model: Any) -> TuneConfig:
    """Return the settings with a learning rate; where none is set, it follows from the width."""
    rate = config.learning_rate or default_learning_rate(
        models.width(model), is_adapter=METHODS[config.method].is_adapter
    )
    return replace(config, learning_rate=rate)


def check_model(config: TuneConfig, model: Any, tokenizer: Any, head: Sequence[str] = ()) -> None:
    """Raise InputError when model, tokenizer and settings do not go together."""
    from tuneproof.tuning.targets import check_targets

    models.check_vocabulary(model, tokenizer)
    check_targets(model, config.target_modules, head)
    limit = models.context_length(model)
    if limit is not None and config.max_length > limit:
        raise InputError(f"max_length {config.max_length} is more than the model's {limit} tokens")


def make_trainer(
    kind: Callable[..., Any],
    train: Sequence[dict[str, Any]],
    validation: Sequence[dict[str, Any]],
    **settings: Any,
) -> Any:
    """Return a trainer over tokenised rows.

    Args:
        kind: The trainer's class.
        train: The rows to train on.
        validation: The rows the best checkpoint is chosen by; may be empty.
        settings: The trainer's further arguments.
    """
    from datasets import Dataset
    from transformers import PrinterCallback

    rows = sorted(validation, key=lambda row: len(row["input_ids"]))  # little padding
    trainer = kind(
        train_dataset=Dataset.from_list(list(train)),
        eval_dataset=Dataset.from_list(rows) if rows else None,
        **settings,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
