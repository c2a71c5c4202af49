"""Supervised fine-tuning, whatever the objective: from a folder of records to a run folder."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneproof import ranks
from tuneproof.files import replacing
from tuneproof.finding import finding_lines
from tuneproof.formats.data_folder import DataFolder, open_to_train
from tuneproof.formats.run import FILE as RUN
from tuneproof.formats.run import Base, Data, Parameters, Run, read_run, write_run
from tuneproof.hub import disable_telemetry
from tuneproof.launch import join
from tuneproof.locks import at_work
from tuneproof.models import load as models
from tuneproof.models.device import choose_device, is_cuda, release
from tuneproof.models.four_bit import parameter_count
from tuneproof.models.weights import weights_hash
from tuneproof.prepdata.checks.data import check_data
from tuneproof.stamp import code_fingerprint, versions_of
from tuneproof.tuning import runs
from tuneproof.tuning.adapters import adapted_layers
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost.machine import device_name
from tuneproof.tuning.cost.meter import forget_peaks
from tuneproof.tuning.job import Job, Pruner
from tuneproof.tuning.page import FILE as PAGE
from tuneproof.tuning.page import write_page
from tuneproof.tuning.trackers import tracker_arguments

log = logging.getLogger(__name__)


def finetune(
    config: TuneConfig,
    *,
    made_by: str = "tune run",
    pruner: Pruner | None = None,
) -> Run:
    """Train one run, or go on with it where it was interrupted, and leave its folder complete.

    What is trained, on what, and how it goes is logged. In one of several processes that torchrun
    or accelerate started, it trains together with the others, and the first one writes.

    Args:
        config: The settings; they are saved in the run.
        made_by: Who asks, as the run records it.
        pruner: May give the training up, as a sweep does; the run is `pruned` then, and has no
            weights.

    Raises:
        InputError: Data or model cannot be used, the folder belongs to another run, or another
            process is at work in it.
        KeyboardInterrupt: Ctrl-C or SIGTERM came; the run is saved as it is then.
    """
    from tuneproof.tuning.distributed import check_sharding  # heavy

    disable_telemetry()
    check_sharding(config)
    join(config.device)
    with ranks.on_main(at_work(config.folder)):
        run = _finetune(config, made_by, pruner)
    if is_cuda(device := choose_device(config.device)):
        release(device)  # the trainer refers to itself, and holds model and optimizer
    return run


def _finetune(config: TuneConfig, made_by: str, pruner: Pruner | None) -> Run:
    status = ranks.from_main(runs.check(config) if ranks.is_main() else None)
    assert status is not None
    forget_peaks()
    data = open_to_train(config.data, config.limit)
    earlier = status.run if status.state != "new" else None
    job = _prepare(_dealt(config, earlier), data)
    run = _begun(config, data, job, made_by, earlier)
    if ranks.is_main():
        _put_in_place(run, is_new=status.state == "new")
        _announce(run, job, config)
        for line in finding_lines(check_data(data), notes=False):
            log.info(line)
    ranks.wait()
    from tuneproof.tuning.train import train  # heavy; the checks above answer at once

    try:
        return train(job, run, pruner)
    finally:
        if ranks.is_main():
            with suppress(OSError):  # a full disk; that is said already
                log.info(f"page: {_page_of(read_run(config.folder))}")


def _put_in_place(run: Run, *, is_new: bool) -> None:
    """Write run.json where the run goes on, or in the place of all that was in its folder."""
    if not is_new:
        return write_run(run)
    with replacing(run.folder, RUN, keeps_others=False) as folder:
        write_run(replace(run, folder=folder))
    return None


def _page_of(run: Run) -> Path:
    """Return the page of a run as it is now; a finished run has it already."""
    return run.folder / PAGE if run.state == "finished" else write_page(run)


def _dealt(config: TuneConfig, earlier: Run | None) -> TuneConfig:
    """Return the settings for so many processes as there are; a run may have begun with others."""
    began_with = _began_with(earlier)
    if began_with == ranks.world_size():
        return config
    from tuneproof.tuning.distributed import dealt

    return dealt(config, began_with, ranks.world_size())


def _began_with(earlier: Run | None) -> int:
    """Return how many processes began a run: those that are here, if it is a new one."""
    return ranks.world_size() if earlier is None else earlier.processes or 1


def _prepare(config: TuneConfig, data: DataFolder) -> Job:
    """Load the model and return the trainer of the objective, ready to start."""
    tracker_arguments(config.report_to, config.folder.name)  # a missing package is an error at once
    if config.objective == "classify":
        from tuneproof.tuning import classify

        return classify.prepare(config, data)
    from tuneproof.tuning import generate

    return generate.prepare(config, data)


def _begun(
    config: TuneConfig, data: DataFolder, job: Job, made_by: str, earlier: Run | None
) -> Run:
    """Return the run before the training; of the earlier sitting it keeps the result."""
    model = job.trainer.model
    sizes = [
        (parameter_count(value), value.requires_grad)
        for name, value in model.named_parameters()
        if ".original_module." not in name  # PEFT's copy of a head as it was
    ]
    return Run(
        folder=config.folder,
        state="running",
        config=runs.recorded(config),
        template=job.template,
        head=job.head,
        quantization=models.stored_four_bit(config.model) or config.four_bit,
        unlikelihood=job.unlikelihood,
        loss_weighting=job.loss_weighting,
        base=Base(
            model=models.stable_name(config.model),
            weights_sha256=weights_hash(config.model),
        ),
        data=Data(
            folder=str(config.data),
            fingerprint=data.fingerprint,
            tasks=data.tasks,
            labels=data.labels,
            train=job.train,
            validation=job.validation,
        ),
        parameters=Parameters(
            trainable=sum(size for size, is_trained in sizes if is_trained),
            total=sum(size for size, _ in sizes),
        ),
        adapted_layers=adapted_layers(model),
        versions=versions_of(runs.PACKAGES),
        code=code_fingerprint(*runs.ROOMS),
        learning_rate=job.trainer.args.learning_rate,
        products=_products(job.trainer.args),
        processes=_began_with(earlier),
        device=device_name(job.trainer.args.device),
        batch=earlier.batch if earlier and _began_with(earlier) == ranks.world_size() else None,
        made_by=made_by,
        result=earlier.result if earlier else None,
    )


def _products(arguments: Any) -> str:
    """Return the dtype that a trainer multiplies in."""
    return "bfloat16" if arguments.bf16 else "float16" if arguments.fp16 else "float32"


def _announce(run: Run, job: Job, config: TuneConfig) -> None:
    """Log what will be trained, on what, and show examples with the trained part marked."""
    parameters = run.parameters
    log.info(job.summary)
    log.info(
        f"{config.method}: {parameters.trainable:,} of {parameters.total:,} parameters are "
        f"trained ({parameters.trainable / parameters.total:.2%}), in "
        f"{', '.join(trained_parts(run))}; "
        f"learning rate {run.learning_rate:g}, {run.products} products"
    )
    for text in job.shown:
        log.info(f"--- one example; [[what is trained on]]\n{text}\n---")


def trained_parts(run: Run) -> list[str]:
    """Return what of the model is trained, in words."""
    if run.is_whole:
        return ["all layers"]
    return [*run.adapted_layers, *(run.head.modules if run.head else ())]
