"""The settings of a run as the trainers' arguments; the only place that knows their names."""

from __future__ import annotations

import math
from typing import Any

from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.precision import uses_bf16

LOGS = 100
"""Points of the loss curve, whatever the length of the training."""

ENDLESS = 1_000_000
"""Epochs where a budget ends the training."""


def sft_arguments(
    config: TuneConfig,
    device: str,
    examples: int,
    *,
    has_validation: bool,
    by_accuracy: bool = False,
) -> Any:
    """Return TRL's SFTConfig for rows that come tokenised, labelled and fitted.

    Args:
        config: The settings.
        device: ``cpu``, ``cuda`` or ``mps``.
        examples: How many there are to train on.
        has_validation: Whether there is anything to choose the best checkpoint by.
        by_accuracy: Whether it is the checkpoint with most answers right, not that of least loss.
    """
    from trl import SFTConfig

    choice = {"metric_for_best_model": "eval_accuracy", "greater_is_better": True}
    shared = _shared(config, device, examples, has_validation)
    return SFTConfig(
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        gradient_checkpointing=False,  # TRL turns on this old name of activation_checkpointing
        **shared | (choice if has_validation and by_accuracy else {}),
    )


def head_arguments(config: TuneConfig, device: str, examples: int, *, has_validation: bool) -> Any:
    """Return transformers' TrainingArguments for texts with labels; arguments as above."""
    from transformers import TrainingArguments

    return TrainingArguments(
        label_names=["labels"],  # else PEFT's wrapper hides them, and nothing is evaluated
        **_shared(config, device, examples, has_validation),
    )


def _shared(config: TuneConfig, device: str, examples: int, has_validation: bool) -> dict[str, Any]:
    """Return what is the same whatever the objective."""
    choice: dict[str, Any] = {"eval_strategy": "no"}
    if has_validation:
        choice = {
            "eval_strategy": "epoch",
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
        }
    return {
        "output_dir": str(config.folder / "checkpoints"),
        "num_train_epochs": ENDLESS if config.has_budget else config.num_train_epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "per_device_eval_batch_size": config.per_device_train_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.lr_scheduler_type,
        "warmup_steps": config.warmup_steps,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "activation_checkpointing": config.gradient_checkpointing,
        "use_cpu": device == "cpu",
        "bf16": uses_bf16(config.mixed_precision, device),
        "seed": config.seed,
        "logging_steps": _logging_steps(config, examples),
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "disable_tqdm": True,
        "dataloader_pin_memory": device == "cuda",
        "report_to": "none",
        **choice,
    }


def _logging_steps(config: TuneConfig, examples: int) -> int:
    """Return after how many optimizer steps the loss is logged; one where nobody knows the end."""
    if config.has_budget:
        return 1
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    steps = config.max_steps or math.ceil(examples / batch * config.num_train_epochs)
    return max(1, steps // LOGS)
