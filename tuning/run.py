"""Supervised fine-tuning, whatever the objective: from a folder of records to a run folder."""

from __future__ import annotations

import shutil
from typing import Any

from tuneproof.finding import told
from tuneproof.formats.data_folder import DataFolder, open_to_train
from tuneproof.models import load as models
from tuneproof.models.four_bit import parameter_count
from tuneproof.prepdata.checks.data import check_data
from tuneproof.stamp import versions_of
from tuneproof.tuning import runs
from tuneproof.tuning.adapters import adapted_layers
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost.machine import estimated_memory, forget_peaks
from tuneproof.tuning.job import Job, Judge, Say
from tuneproof.tuning.methods import METHODS


def finetune(
    config: TuneConfig,
    say: Say = print,
    *,
    made_by: str = "tune run",
    judge: Judge | None = None,
) -> runs.Run:
    """Train one run, or go on with it where it was interrupted, and leave its folder complete.

    Args:
        config: The settings; they are saved in the run.
        say: Receives one line of text at a time: what is trained, on what, and how it goes.
        made_by: Who asks, as the run records it.
        judge: May give the training up, as a sweep does; the run is `pruned` then, without weights.

    Raises:
        InputError: Data or model cannot be used, or the folder belongs to another run.
        KeyboardInterrupt: Ctrl-C came; the run is saved as it is then.
    """
    found = runs.check(config)
    forget_peaks()
    data = open_to_train(config.data, config.limit)
    job = _prepare(config, data)
    facts = _facts(config, data, job) | {"made_by": made_by}
    if found.state == "new" and config.folder.exists():
        shutil.rmtree(config.folder)
    config.folder.mkdir(parents=True, exist_ok=True)
    facts["result"] = found.facts.get("result") if found.facts and found.state != "new" else None
    runs.write(config.folder, facts)
    _announce(facts, job, config, say)
    for line in told(check_data(data), notes=False):
        say(line)
    from tuneproof.tuning.train import train  # heavy; the checks above answer at once

    return train(job, config.folder, facts, say, judge)


def _prepare(config: TuneConfig, data: DataFolder) -> Job:
    """Load the model and return the trainer of the objective, ready to start."""
    if config.objective == "classify":
        from tuneproof.tuning import classify

        return classify.prepare(config, data)
    from tuneproof.tuning import generate

    return generate.prepare(config, data)


def _facts(config: TuneConfig, data: DataFolder, job: Job) -> dict[str, Any]:
    """Return what run.json says before the training."""
    model = job.trainer.model
    sizes = [
        (parameter_count(value), value.requires_grad)
        for name, value in model.named_parameters()
        if ".original_module." not in name  # PEFT's copy of a head as it was
    ]
    return {
        "state": "running",
        "config": runs.recorded(config),
        **job.facts,
        "base": {
            "model": models.lasting_name(config.model),
            "weights_sha256": models.weights_hash(config.model),
        },
        "data": {
            "folder": str(config.data),
            "fingerprint": data.fingerprint,
            "tasks": data.tasks,
            "labels": data.labels,
            **job.counts,
        },
        "parameters": {
            "trainable": sum(size for size, is_trained in sizes if is_trained),
            "total": sum(size for size, _ in sizes),
        },
        "adapted_layers": adapted_layers(model),
        "versions": versions_of(runs.PACKAGES),
        "learning_rate": job.trainer.args.learning_rate,
        "products": "bfloat16" if job.trainer.args.bf16 else "float32",
    }


def _announce(facts: dict[str, Any], job: Job, config: TuneConfig, say: Say) -> None:
    """Say what will be trained, on what, and show examples with the trained part marked."""
    parameters = facts["parameters"]
    share = parameters["trainable"] / parameters["total"]
    say(job.summary)
    say(
        f"{config.method}: {parameters['trainable']:,} of {parameters['total']:,} parameters are "
        f"trained ({share:.2%}), in {', '.join(trained_parts(facts))}; "
        f"learning rate {facts['learning_rate']:g}, {facts['products']} products"
    )
    size = estimated_memory(job.trainer.model, config, job.counts["train"])
    say(f"memory: about {size / 2**30:.1f} GiB")
    for text in job.shown:
        say(f"--- one example; [[what is trained on]]\n{text}\n---")


def trained_parts(facts: dict[str, Any]) -> list[str]:
    """Return what of the model is trained, in words."""
    if not METHODS[facts["config"]["method"]].is_adapter:
        return ["all layers"]
    return [*facts["adapted_layers"], *facts.get("head", {}).get("modules", [])]
