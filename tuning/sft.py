"""Instruction tuning with TRL's SFTTrainer: from a folder of records to a run folder."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from core.errors import InputError
from core.versions import versions_of
from inference import models
from prompts import templates
from prompts.templates import Template
from tuning import memory, runs
from tuning.arguments import arguments
from tuning.config import TuneConfig
from tuning.data import Data, read_data
from tuning.examples import Examples, encode, marked
from tuning.learning_rate import default_learning_rate
from tuning.registry import METHODS
from tuning.targets import adapted_layers, check_targets

Say = Callable[[str], None]


def finetune(config: TuneConfig, say: Say = print, *, made_by: str = "tune run") -> runs.Run:
    """Train one run, or go on with it where it was interrupted, and leave its folder complete.

    Args:
        config: The settings; they are saved in the run.
        say: Receives one line of text at a time: what is trained, on what, and how it goes.
        made_by: Who asks, as the run records it.

    Raises:
        InputError: Data or model cannot be used, or the folder belongs to another run.
        KeyboardInterrupt: Ctrl-C came; the run is saved as it is then.
    """
    found = runs.check(config)
    data = read_data(config.data, config.limit)
    job = _job(config, data)
    rate = config.learning_rate or default_learning_rate(models.width(job.model), is_adapter=True)
    trainer = _trainer(replace(config, learning_rate=rate), job)
    facts = _facts(config, data, job, trainer.model)
    facts |= {"learning_rate": rate, "made_by": made_by}
    if found.state == "new" and config.folder.exists():
        shutil.rmtree(config.folder)
    config.folder.mkdir(parents=True, exist_ok=True)
    facts["result"] = found.facts.get("result") if found.facts and found.state != "new" else None
    runs.write(config.folder, facts)
    _announce(facts, job, config, say)
    from tuning.training import train  # heavy; the checks above answer at once

    return train(trainer, config.folder, facts, say)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What is trained, and on what."""

    template: Template
    tokenizer: Any
    model: Any
    train: Examples
    validation: Examples


def _job(config: TuneConfig, data: Data) -> _Job:
    """Load the model, and turn the records into tokens."""
    template = templates.load(config.template)
    tokenizer = models.load_tokenizer(config.model)
    model = models.load_model(config.model, dtype=config.dtype)
    models.check_vocabulary(model, tokenizer)
    check_targets(model, config.target_modules)
    limit = models.context_length(model)
    if limit is not None and config.max_length > limit:
        raise InputError(f"max_length {config.max_length} is more than the model's {limit} tokens")
    examples = encode(data.train, template, tokenizer, config.max_length)
    if not examples.rows:
        raise InputError(
            f"all {len(examples.too_long)} training records are longer than max_length "
            f"{config.max_length} even without their input"
        )
    return _Job(
        template=template,
        tokenizer=tokenizer,
        model=model,
        train=examples,
        validation=encode(data.validation, template, tokenizer, config.max_length),
    )


def _trainer(config: TuneConfig, job: _Job) -> Any:
    """Return TRL's trainer over the tokenised examples; it wraps the model with its adapter."""
    from datasets import Dataset
    from transformers import PrinterCallback

    from tuning.trainer import CompletionTrainer

    rows = sorted(job.validation.rows, key=lambda row: len(row["input_ids"]))  # little padding
    device = job.model.device.type
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*reference model.*")
        trainer = CompletionTrainer(
            model=job.model,
            args=arguments(config, device, len(job.train.rows), has_validation=bool(rows)),
            train_dataset=Dataset.from_list(job.train.rows),
            eval_dataset=Dataset.from_list(rows) if rows else None,
            processing_class=job.tokenizer,
            peft_config=METHODS[config.method].peft_config(config, job.model),
        )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _facts(config: TuneConfig, data: Data, job: _Job, model: Any) -> dict[str, Any]:
    """Return what run.json says before the training; `model` carries its adapter."""
    sizes = [(value.numel(), value.requires_grad) for value in model.parameters()]
    return {
        "state": "running",
        "config": runs.recorded(config),
        "template": {"name": job.template.name, "text": job.template.text},
        "base": {
            "model": models.lasting_name(config.model),
            "weights_sha256": models.weights_hash(config.model),
        },
        "data": {
            "folder": str(config.data),
            "fingerprint": data.fingerprint,
            "tasks": data.tasks,
            "labels": data.labels,
            "train": job.train.counts(),
            "validation": job.validation.counts(),
        },
        "parameters": {
            "trainable": sum(size for size, is_trained in sizes if is_trained),
            "total": sum(size for size, _ in sizes),
        },
        "adapted_layers": adapted_layers(model),
        "versions": versions_of(runs.PACKAGES),
    }


def _announce(facts: dict[str, Any], job: _Job, config: TuneConfig, say: Say) -> None:
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
        f"trained ({share:.2%}), in {', '.join(facts['adapted_layers'])}; "
        f"learning rate {facts['learning_rate']:g}"
    )
    say(f"memory: about {memory.estimate(job.model, config, counts) / 2**30:.1f} GiB")
    for row in job.train.rows[:2]:
        say(f"--- one example; [[what is trained on]]\n{marked(row, job.tokenizer)}\n---")
