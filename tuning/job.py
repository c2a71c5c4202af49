"""A training that is ready to start, and the settings as the trainers' arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof import ranks
from tuneproof.errors import InputError
from tuneproof.formats.run import Counts, Head, Run, Weighting
from tuneproof.formats.template import Template
from tuneproof.models import load as models
from tuneproof.tuning import adapters
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.device import (
    check_optimizer,
    keep_to_one_gpu,
    products,
    use_liger_kernel,
)
from tuneproof.tuning.methods import METHODS
from tuneproof.tuning.rows import dataset_of
from tuneproof.tuning.trackers import keep_in, tracker_arguments

if TYPE_CHECKING:
    from tuneproof.tuning.samples import Sampler

Pruner = Callable[[int, Mapping[str, float]], bool]
"""Asked after every evaluation whether the training is to be given up: gets the epoch, from 1, and
the metrics (`eval_loss`, and `eval_accuracy` where labels are learned)."""
LOGS = 100
"""Points of the loss curve at least, where a training has so many steps; a budget shows all."""
ENDLESS = 1_000_000
"""Epochs where a budget ends the training."""
FULL_RATE = 5e-5
"""Learning rate for all weights of a model of RATE_WIDTH."""
ADAPTER_FACTOR = 10
"""How much more an adapter needs than all weights (Schulman et al. 2025, "LoRA Without Regret")."""
RATE_WIDTH = 2000
RATE_EXPONENT = 0.781
"""How the best rate falls with the width: fitted on Llama models in the same work."""

UNLIKELIHOOD_WIDTH = 768
"""GPT-2's: at this width the weight of the unlikelihood loss is its authors', 1; narrower models
loop more."""
LARGEST_UNLIKELIHOOD = 3.0
"""The weight for tiny, and for anything narrower."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, ready to start."""

    trainer: Any
    """Transformers' trainer, or one of its kind, over the model with its adapter."""
    train: Counts
    """The examples that are trained on."""
    validation: Counts
    """Those that the best weights are chosen by."""
    template: Template | None = None
    """How prompts are rendered; None where texts are read as they are."""
    head: Head | None = None
    """The classification head, where one is trained."""
    unlikelihood: float | None = None
    """Weight of the loss on repeated tokens; None where a head is trained."""
    loss_weighting: Weighting | None = None
    """What counts the same in the loss; None where a head is trained."""
    summary: str
    """The examples in one line."""
    shown: tuple[str, ...]
    """Examples as text, with what is trained on between ``[[`` and ``]]``."""
    save: Callable[[Path, Mapping[str, Any] | None], None]
    """Writes what was trained into a folder: the model's weights, or those given where it does not
    hold them all."""
    sampler: Sampler | None = None
    """Answers a few prompts at each evaluation; None for none."""
    finish: Callable[[Run], Run] = lambda run: run
    """Called when the weights are saved, in all processes: completes and checks them, and returns
    the run with what there is to say of them."""


def check_model(config: TuneConfig, model: Any, tokenizer: Any, head: Sequence[str] = ()) -> None:
    """Raise InputError when model, tokenizer and settings do not go together.

    Where they do, Liger's kernels are put in if they are wanted.
    """
    models.check_vocabulary(model, tokenizer)
    if not METHODS[config.method].is_adapter and models.stored_four_bit(config.model):
        raise InputError(
            f"the weights of {config.model!r} are in 4 bits and cannot be trained; "
            "use --method lora"
        )
    check_optimizer(config.optim)
    adapters.check_targets(model, config.target_modules, head)
    limit = models.context_length(model)
    if limit is not None and config.max_length > limit:
        raise InputError(f"max_length {config.max_length} is more than the model's {limit} tokens")
    if config.use_liger_kernel:
        use_liger_kernel(model)


def make_trainer(
    trainer_class: Callable[..., Any],
    train: Sequence[dict[str, Any]],
    validation: Sequence[dict[str, Any]],
    **settings: Any,
) -> Any:
    """Return a trainer over tokenised rows.

    Args:
        trainer_class: One of tuning/trainers.py.
        train: The rows to train on.
        validation: The rows the best checkpoint is chosen by; may be empty.
        settings: The trainer's further arguments.
    """
    from transformers import PrinterCallback

    keep_to_one_gpu(settings["args"], settings["model"].device)
    trainer = trainer_class(
        train_dataset=dataset_of(train),
        eval_dataset=dataset_of(validation, by_length=True) if validation else None,
        **settings,
    )
    trainer.remove_callback(PrinterCallback)
    keep_in(trainer, Path(settings["args"].output_dir).parent)
    return trainer


def trainer_arguments(
    config: TuneConfig, device: str, examples: int, *, has_validation: bool
) -> dict[str, Any]:
    """Return the TrainingArguments that all objectives have in common, by name.

    Args:
        config: The settings, with a learning rate.
        device: ``cpu``, ``cuda`` or ``mps``.
        examples: How many there are to train on.
        has_validation: Whether there is anything to choose the best checkpoint by.
    """
    dtype, is_gpu = products(config.mixed_precision, device), device == "cuda"
    choice: dict[str, Any] = {"eval_strategy": "no"}
    if has_validation:
        choice = {
            "eval_strategy": "epoch",
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
        }
    else:
        _check_needs_no_validation(config)
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
        "bf16": dtype == "bfloat16",
        "fp16": dtype == "float16",
        "seed": config.seed,
        "logging_steps": _logging_steps(config, examples),
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "epoch",
        "disable_tqdm": True,
        "dataloader_pin_memory": is_gpu,
        "accelerator_config": {"non_blocking": is_gpu},
        **tracker_arguments(config.report_to, config.folder.name),
        **({} if config.optim is None else {"optim": config.optim}),
        **choice,
    }


def _check_needs_no_validation(config: TuneConfig) -> None:
    """Raise InputError where a setting is about evaluations, and there are none."""
    for name in ("eval_steps", "early_stopping_patience"):
        if getattr(config, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} needs validation records, and {config.data} has none; "
                "leave it out, or build the data with --val-fraction"
            )


def _logging_steps(config: TuneConfig, examples: int) -> int:
    """Return after how many optimizer steps the loss is logged; one where nobody knows the end."""
    if config.has_budget:
        return 1
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    batch *= ranks.world_size()
    steps = config.max_steps or math.ceil(examples / batch * config.num_train_epochs)
    return max(1, steps // LOGS)


def with_rate(config: TuneConfig, model: Any) -> TuneConfig:
    """Return the settings with a learning rate; where none is set, it follows from the width."""
    rate = config.learning_rate or default_learning_rate(
        models.width(model), is_adapter=METHODS[config.method].is_adapter
    )
    return replace(config, learning_rate=rate)


def default_learning_rate(width: int, *, is_adapter: bool) -> float:
    """Return a peak learning rate for AdamW, rounded to two digits: smaller for wider models.

    Args:
        width: The model's hidden size: 2.5e-3 for an adapter at 256, 1.1e-3 at 768, 2.9e-4 at 4096.
        is_adapter: Whether an adapter is trained, or the model's own weights.
    """
    rate = FULL_RATE * (ADAPTER_FACTOR if is_adapter else 1)
    return float(f"{rate * (RATE_WIDTH / width) ** RATE_EXPONENT:.1e}")


def default_unlikelihood(width: int) -> float:
    """Return the weight of the unlikelihood loss beside the cross-entropy, to two digits.

    Args:
        width: The model's hidden size: 3 at 256, 1 at 768, 0.19 at 4096.
    """
    return float(f"{min(LARGEST_UNLIKELIHOOD, UNLIKELIHOOD_WIDTH / width):.2g}")


def default_weighting(model: str) -> Weighting:
    """Return what counts the same in the loss: every example for tiny, else every token.

    Args:
        model: As `--model` names it.
    """
    return "example" if model == "tiny" else "token"
