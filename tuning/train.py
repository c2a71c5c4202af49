"""Running the trainer: from the last whole checkpoint to a complete run folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from statistics import fmean
from typing import Any

from tuneproof import ranks
from tuneproof.errors import InputError
from tuneproof.files import fingerprint, sync_folder
from tuneproof.formats.run import Batch, Result, Run, Speed, write_run
from tuneproof.formats.samples import FILE
from tuneproof.log import NOTICE
from tuneproof.tuning.batch_size import found_batch, use_batch
from tuneproof.tuning.callbacks import (
    EarlyStopping,
    Progress,
    Pruning,
    StepEvaluations,
    StopOnSignal,
    plot_loss,
)
from tuneproof.tuning.card import write_card
from tuneproof.tuning.checkpoints import EndedBy, TimedCheckpoints, Vouching, last_checkpoint
from tuneproof.tuning.checks.trained import as_warning, check_trained, snapshot
from tuneproof.tuning.cost.machine import (
    estimated_memory,
    matrix_rate,
    speed,
    speed_line,
)
from tuneproof.tuning.cost.meter import Budget, Meter, Spent, budget_of
from tuneproof.tuning.distributed import whole_weights
from tuneproof.tuning.job import Job, Pruner
from tuneproof.tuning.page import write_page

log = logging.getLogger(__name__)


def train(job: Job, run: Run, pruner: Pruner | None = None) -> Run:
    """Train, and leave the weights, run.json, the plot and the card.

    Args:
        job: The trainer, ready to start, and what completes its work.
        run: As it begins; checkpoints in its folder are gone on from.
        pruner: May give the training up after an evaluation.

    Returns:
        The run as it ended: finished, or pruned.

    Raises:
        InputError: What came out of the training is not what it should be.
        KeyboardInterrupt: Ctrl-C or SIGTERM came; there is a checkpoint to go on from.
    """
    trainer = job.trainer
    last = ranks.from_main(last_checkpoint(run.folder / "checkpoints") if ranks.is_main() else None)
    if last is not None:
        log.log(NOTICE, "going on from %s", last.name)
    example = trainer.train_dataset[0]["input_ids"]
    before = snapshot(trainer.model, example)
    meter, stop = Meter(trainer, last), StopOnSignal()
    budget = budget_of(run.config, meter)
    share = None if budget is None else lambda: budget.share
    progress = Progress(run.metrics, share, lambda: meter.logged)
    pruning = Pruning(pruner)
    budgets = [] if budget is None else [budget]
    timed = TimedCheckpoints(run.config["save_minutes"], run.config["save_steps"])
    early = EarlyStopping(run.config["early_stopping_patience"])
    vouching = Vouching(last, lambda: _ended_by(trainer.state, early, budget))
    watching = [*_watching(job, run), early]
    for callback in (meter, *budgets, progress, stop, timed, *watching, pruning, vouching):
        trainer.add_callback(callback)
    try:
        with stop, trainer.fast_paths(run.config["no_fast_path"]) as paths:
            run = replace(run, fast_paths=paths.used, fast_paths_left_out=paths.left_out)
            log.info(paths.described())
            if run.config["auto_find_batch_size"]:
                run = replace(run, batch=use_batch(trainer, run.batch or _batch(trainer, run)))
            _announce_memory(trainer, run)
            trainer.train(resume_from_checkpoint=last and str(last))
    except BaseException as error:
        is_interrupt = isinstance(error, KeyboardInterrupt)
        with suppress(OSError):  # a full disk; that is said already
            _write(replace(run, state="interrupted" if is_interrupt else "failed"))
        raise
    meter.note_peaks()
    run = replace(run, result=_result(trainer.state, run, progress.seconds, meter.spent))
    if stop.has_stopped:
        _write(replace(run, state="interrupted"))
        raise stop.as_exception
    if pruning.has_pruned:
        run = replace(run, state="pruned")
        _write(run)
        return run
    ended_by = vouching.ended_by or _ended_by(trainer.state, early, budget) or "steps"
    run = replace(run, speed=_speed(trainer, run, meter.spent), ended_by=ended_by)
    return _checked(job, run, example, before)


def _announce_memory(trainer: Any, run: Run) -> None:
    """Log the peak of memory that is expected."""
    size = estimated_memory(trainer, run).total
    where = "" if run.device in ("cpu", "mps") else f" of {run.device}"
    log.info(f"memory{where}: about {size / 2**30:.1f} GiB")


def _ended_by(state: Any, early: EarlyStopping, budget: Budget | None) -> EndedBy | None:
    """Return what has ended a training; None where steps are to follow."""
    if early.has_stopped:
        return "early-stopping"
    if budget is not None and budget.is_spent:
        return "budget"
    return "steps" if state.global_step >= state.max_steps else None


def _speed(trainer: Any, run: Run, spent: Spent) -> Speed:
    """Return how fast a training was, of all its processes; it is logged."""
    rate = matrix_rate(str(trainer.args.device), run.products) * ranks.world_size()
    reached = speed(spent, rate)
    log.info(speed_line(reached, run.products))
    return reached


def _checked(job: Job, run: Run, example: Any, before: Any) -> Run:
    """Check what was trained, and write what a finished run has.

    Args:
        job: Its trainer has ended.
        run: As it is so far.
        example: Token ids that the model is tried on.
        before: The model's state before the first step, as `snapshot` returned it.
    """
    trainer = job.trainer
    losses, steps = _logged(trainer.state, "loss"), trainer.state.global_step
    try:
        weights = whole_weights(trainer)
        findings = check_trained(
            trainer.model, example, before, losses, run.learning_rate, steps, weights
        )
        run = replace(run, warnings=[as_warning(finding) for finding in findings])
        return _complete(job, run, weights)
    except InputError:
        _write(replace(run, state="failed"))
        raise


def _watching(job: Job, run: Run) -> list[Any]:
    """Return the callbacks that evaluate within epochs and show what the model answers by then."""
    every = run.config["eval_steps"]
    evaluations = [] if every is None else [StepEvaluations(every)]
    if job.sampler is None or ranks.world_size() > 1:  # weights may be dealt out
        return evaluations
    from tuneproof.tuning.samples import SampleAnswers

    return [*evaluations, SampleAnswers(job.trainer, job.sampler, run.folder / FILE)]


def _batch(trainer: Any, run: Run) -> Batch:
    """Return the largest batch that fits in the memory of every process."""
    batches = ranks.gathered(found_batch(trainer, run))
    return min(batches, key=lambda batch: batch.per_device_train_batch_size)


def _write(run: Run) -> None:
    """Write run.json, from the first process."""
    if ranks.is_main():
        write_run(run)


def _complete(job: Job, run: Run, weights: Mapping[str, Any] | None) -> Run:
    """Write what a finished run has; run.json, which says that it is finished, comes last."""
    if ranks.is_main():
        _save(job, run, weights)
    ranks.wait()
    run = job.finish(run)
    ranks.wait()
    hashes = {file.name: fingerprint(file) for file in run.weights} if ranks.is_main() else {}
    run = replace(run, state="finished", weights_sha256=ranks.from_main(hashes))
    if ranks.is_main():
        of = "example" if run.is_classifier else "trained token"
        plot_loss(run.metrics, run.folder / "loss.png", of)
        write_card(run)
        write_page(run)
        write_run(run)
    return run


def _save(job: Job, run: Run, weights: Mapping[str, Any] | None) -> None:
    """Write the weights and what belongs to them, and have the disk keep it."""
    job.save(run.saved, weights)
    (run.saved / "README.md").unlink(missing_ok=True)  # PEFT's form, with nothing filled in
    job.trainer.processing_class.save_pretrained(str(run.saved))
    if run.template is not None:
        job.trainer.model.generation_config.save_pretrained(str(run.saved))
    for warning in run.warnings or ():
        log.warning(warning)
    sync_folder(run.saved)


def _result(state: Any, run: Run, seconds: float, spent: Spent) -> Result:
    """Return what the training came to."""
    losses = _logged(state, "loss")
    tenth = math.ceil(len(losses) / 10)
    return Result(
        steps=state.global_step,
        epochs=round(state.epoch or 0.0, 4),
        examples_seen=spent.examples,
        tokens_seen=int(state.num_input_tokens_seen),
        positions_seen=spent.positions,
        flops=spent.flops,
        head_flops=spent.head_flops,
        train_seconds=round(spent.seconds, 2),
        cpu_seconds=round(spent.cpu_seconds, 2),
        gpu_seconds=round(spent.gpu_seconds, 2) if spent.gpu_seconds else None,
        first_loss=fmean(losses[:tenth]) if losses else None,
        last_loss=fmean(losses[-tenth:]) if losses else None,
        best_validation_loss=_at_best(state, "eval_loss"),
        best_step=state.best_global_step,
        best_validation_accuracy=_at_best(state, "eval_accuracy"),
        wall_seconds=round(seconds, 1),
        peak_memory_bytes=spent.peak_memory_bytes,
        peak_gpu_memory_bytes=spent.peak_gpu_memory_bytes or None,
    )


def _at_best(state: Any, name: str) -> float | None:
    """Return what the validation said of the weights that are kept, if it said anything."""
    at_best = [
        row[name]
        for row in state.log_history
        if row["step"] == state.best_global_step and math.isfinite(row.get(name, math.nan))
    ]
    return at_best[-1] if at_best else None


def _logged(state: Any, name: str) -> list[float]:
    """Return every value of a name that the trainer has logged, in order."""
    return [row[name] for row in state.log_history if name in row]
