"""Instruction tuning with TRL's SFTTrainer: from a folder of records to a run folder."""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import InputError
from inference import models
from prepdata import manifest
from prepdata.records import FILES, Record, Split, read_records
from prompts import templates
from tuning import flops, memory, runs
from tuning.callbacks import Progress, StopOnInterrupt
from tuning.card import write_card
from tuning.config import TuneConfig
from tuning.examples import Examples, encode, marked
from tuning.plot import plot_loss
from tuning.registry import METHODS
from tuning.targets import adapted_layers, check_targets

Say = Callable[[str], None]


def finetune(config: TuneConfig, say: Say = print) -> runs.Run:
    """Train one run and leave its folder complete.

    Args:
        config: The settings; they are saved in the run.
        say: Receives one line of text at a time: what is trained, on what, and how it goes.

    Raises:
        InputError: Data or model cannot be used, or the folder belongs to another run.
    """
    built = manifest.read(config.data)
    data_hash = manifest.data_fingerprint(built)
    facts = runs.start(config, data_hash)
    records = _records(config, "train")
    template = templates.load(config.template)
    tokenizer = models.load_tokenizer(config.model)
    model = models.load_model(config.model, dtype=config.dtype)
    check_targets(model, config.target_modules)
    limit = models.context_length(model)
    if limit is not None and config.max_length > limit:
        raise InputError(f"max_length {config.max_length} is more than the model's {limit} tokens")

    train = encode(records, template, tokenizer, config.max_length)
    validation = encode(_records(config, "validation"), template, tokenizer, config.max_length)
    if not train.rows:
        raise InputError(
            f"all {len(train.too_long)} training records are longer than max_length "
            f"{config.max_length} even without their input"
        )
    trainer = _trainer(config, model, tokenizer, train, validation, say)
    facts = {
        "state": "running",
        "config": runs.recorded(config),
        "template": {"name": template.name, "text": template.text},
        "base": {
            "model": config.model,
            "weights_sha256": models.weights_hash(config.model),
        },
        "data": {
            "folder": str(config.data),
            "fingerprint": data_hash,
            "tasks": sorted({record.task for record in records}),
            "labels": built["labels"],
            "train": train.counts(),
            "validation": validation.counts(),
        },
        "parameters": _parameters(trainer.model),
        "adapted_layers": adapted_layers(trainer.model),
        "versions": runs.versions(),
        "result": (facts or {}).get("result"),
    }
    _announce(facts, train, model, tokenizer, config, say)
    config.folder.mkdir(parents=True, exist_ok=True)
    runs.write(config.folder, facts)
    _train(trainer, config, facts, say)
    return runs.open_run(config.folder)


def _records(config: TuneConfig, split: Split) -> list[Record]:
    path = config.data / FILES[split]
    records = list(read_records(path))
    if split == "train" and not records:
        raise InputError(f"{path} is empty; there is nothing to train on")
    return records[: config.limit] if split == "train" else records


def _trainer(
    config: TuneConfig,
    model: Any,
    tokenizer: Any,
    train: Examples,
    validation: Examples,
    say: Say,
) -> Any:
    """Return TRL's trainer over the tokenised examples, with this project's callbacks."""
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback

    from tuning.trainer import CompletionTrainer

    torch.manual_seed(config.seed)  # PEFT draws the adapter's first weights
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*reference model.*")
        trainer = CompletionTrainer(
            model=model,
            args=_arguments(config, model.device.type, bool(validation.rows)),
            train_dataset=Dataset.from_list(train.rows),
            eval_dataset=Dataset.from_list(validation.rows) if validation.rows else None,
            processing_class=tokenizer,
            peft_config=METHODS[config.method].peft_config(config, model),
        )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Progress(config.folder / "metrics.jsonl", say))
    trainer.add_callback(StopOnInterrupt(say))
    return trainer


def _arguments(config: TuneConfig, device: str, has_validation: bool) -> Any:
    """Map the settings onto TRL's; the only place that knows its names."""
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(config.folder / "checkpoints"),
        dataset_kwargs={"skip_prepare_dataset": True},  # rows come tokenised, labelled and fitted
        max_length=None,
        num_train_epochs=config.num_train_epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.per_device_train_batch_size,
        per_device_eval_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        gradient_checkpointing=False,  # TRL's old name for the next one, on by default there
        activation_checkpointing=config.gradient_checkpointing,
        train_sampling_strategy="group_by_length",
        use_cpu=device == "cpu",
        bf16=device == "cuda",
        seed=config.seed,
        logging_steps=10,
        eval_strategy="epoch" if has_validation else "no",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=has_validation,
        metric_for_best_model="eval_loss" if has_validation else None,
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
        report_to="none",
    )


def _parameters(model: Any) -> dict[str, int]:
    """Return how many parameters are trained, and how many there are."""
    sizes = [(value.numel(), value.requires_grad) for value in model.parameters()]
    return {
        "trainable": sum(size for size, is_trained in sizes if is_trained),
        "total": sum(size for size, _ in sizes),
    }


def _announce(
    facts: dict[str, Any],
    train: Examples,
    model: Any,
    tokenizer: Any,
    config: TuneConfig,
    say: Say,
) -> None:
    """Say what will be trained, on what, and show two examples with the trained part marked."""
    counts, parameters = facts["data"]["train"], facts["parameters"]
    share = parameters["trainable"] / parameters["total"]
    say(
        f"{counts['examples']:,} examples, {counts['tokens']:,} tokens of which "
        f"{counts['trained_tokens']:,} are trained on; {counts['shortened']:,} inputs shortened "
        f"({counts['shortened'] / counts['examples']:.1%}), "
        f"{counts['too_long']:,} left out as too long"
    )
    say(
        f"{config.method}: {parameters['trainable']:,} of {parameters['total']:,} parameters are "
        f"trained ({share:.2%}), in {', '.join(facts['adapted_layers'])}"
    )
    say(f"memory: about {memory.estimate(model, config, counts) / 2**30:.1f} GiB")
    for row in train.rows[:2]:
        say(f"--- one example; [[what is trained on]]\n{marked(row, tokenizer)}\n---")


def _train(trainer: Any, config: TuneConfig, facts: dict[str, Any], say: Say) -> None:
    """Train, and leave the adapter, run.json, the plot and the card whatever happens."""
    from transformers.trainer_utils import get_last_checkpoint

    checkpoints = config.folder / "checkpoints"
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    if last is not None:
        say(f"going on from {Path(last).name}")
    earlier = (facts["result"] or {}).get("wall_seconds", 0.0) if last else 0.0
    began = time.perf_counter()
    try:
        trainer.train(resume_from_checkpoint=last)
    except KeyboardInterrupt:
        facts["state"] = "interrupted"
        runs.write(config.folder, facts)
        raise
    is_cut = any(
        getattr(callback, "is_interrupted", False)
        for callback in trainer.callback_handler.callbacks
    )
    facts["state"] = "interrupted" if is_cut else "finished"
    facts["result"] = _result(trainer, facts, earlier + time.perf_counter() - began)
    if not is_cut:
        trainer.model.save_pretrained(str(config.folder / "adapter"), safe_serialization=True)
        trainer.processing_class.save_pretrained(str(config.folder / "adapter"))
        plot_loss(config.folder / "metrics.jsonl", config.folder / "loss.png")
    runs.write(config.folder, facts)
    if is_cut:
        raise KeyboardInterrupt
    write_card(runs.open_run(config.folder))


def _result(trainer: Any, facts: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return what the training came to."""
    state = trainer.state
    losses = [log["loss"] for log in state.log_history if "loss" in log]
    tokens = trainer.state.num_input_tokens_seen or trainer._total_train_tokens
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return {
        "steps": state.global_step,
        "epochs": round(state.epoch or 0.0, 4),
        "examples_seen": round(facts["data"]["train"]["examples"] * (state.epoch or 0.0)),
        "tokens_seen": int(tokens),
        "flops": flops.training(facts["parameters"], int(tokens)),
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "best_validation_loss": state.best_metric,
        "wall_seconds": round(seconds, 1),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale,
    }
