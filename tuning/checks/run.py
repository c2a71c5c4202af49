"""A run's folder, without its model: how the loss went, and whether data and base are still those.

Nothing is loaded but run.json, metrics.jsonl, the adapter's own tensors and file hashes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tuneproof.errors import InputError
from tuneproof.finding import Finding, finding
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.run import Run
from tuneproof.formats.training_log import read_metrics
from tuneproof.models import load as models
from tuneproof.models.adapters import settings_of
from tuneproof.models.weights import ADAPTER_WEIGHTS, check_saved, weights_hash
from tuneproof.plugins import checks_of
from tuneproof.tuning.checks.advice import RUN

FEWEST_LOGS = 10
"""Fewest logged losses that show a direction: single batches differ by more than training."""
DIVERGED = 1.2
"""The loss has diverged when its last tenth is so many times its first; noise is within 5 %."""
FLAT = 0.01
"""Nothing moved when the last fifth is not at least so much (a share) under the first. The
embedded tiny model, trained well, falls by 5 % on Dolly."""
OVERFITTED = 1.02
"""The validation loss turned up when it ends at so many times its minimum."""


def check_run(run: Run) -> Iterator[Finding]:
    """Yield what is wrong with a run, as far as its files show it."""
    if run.state != "finished":
        why = ": a sweep gave it up" if run.state == "pruned" else ""
        yield finding(RUN, "run-unfinished", f"{run.name} is {run.state}{why}")
    if not run.data.validation.examples:
        yield finding(RUN, "no-validation", f"{run.name} was trained without validation records")
    yield from _losses(run)
    yield from _same_data(run)
    yield from _same_base(run)
    changed = list(_same_weights(run)) if run.state == "finished" else []
    yield from changed
    if (run.adapter / ADAPTER_WEIGHTS).is_file() and not changed:
        yield from _adapter(run)
    yield from checks_of("run", run)


def _losses(run: Run) -> Iterator[Finding]:
    """Judge the curves of metrics.jsonl."""
    rows = read_metrics(run.metrics)
    losses = [row["loss"] for row in rows if "loss" in row]
    if any(not math.isfinite(loss) for loss in losses):
        yield finding(
            RUN, "loss-diverged", f"{run.name}: the loss is no number", rate=run.learning_rate / 3
        )
    else:
        yield from check_losses(losses, run.learning_rate, f"{run.name}: ")
    yield from _validation(run, [row for row in rows if "eval_loss" in row])


def check_losses(losses: Sequence[float], rate: float, where: str = "") -> Iterator[Finding]:
    """Yield that the loss of a training has risen, or has not fallen.

    Args:
        losses: Those that were logged, in order; all finite.
        rate: The learning rate at its peak.
        where: Begins what is said.
    """
    if len(losses) < FEWEST_LOGS:
        return
    tenth, fifth = math.ceil(len(losses) / 10), math.ceil(len(losses) / 5)
    first, last = fmean(losses[:tenth]), fmean(losses[-tenth:])
    if last > DIVERGED * first:
        yield finding(
            RUN,
            "loss-diverged",
            f"{where}the loss rises from {first:.3f} to {last:.3f} (learning rate {rate:g})",
            rate=rate / 3,
        )
        return
    first, last = fmean(losses[:fifth]), fmean(losses[-fifth:])
    if first > 0 and first - last < FLAT * first:
        yield finding(
            RUN,
            "loss-flat",
            f"{where}the loss goes from {first:.3f} to {last:.3f} in {len(losses)} logs "
            f"(learning rate {rate:g})",
            rate=rate * 3,
        )


def _validation(run: Run, rows: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    values = [row["eval_loss"] for row in rows]
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < len(values):
        yield finding(RUN, "loss-diverged", f"{run.name}: the validation loss is no number",
                    rate=run.learning_rate / 3)  # fmt: skip
    elif len(values) > 1 and values[-1] > OVERFITTED * min(values):
        best = values.index(min(values))
        epoch, result = rows[best].get("epoch", 1.0), run.outcome
        has_accuracy = result.best_validation_accuracy is not None
        if has_accuracy and rows[best]["step"] < (result.best_step or 0):
            return  # later weights had more answers right, and were kept for that
        yield finding(
            RUN,
            "overfitting",
            f"{run.name}: the validation loss falls to {values[best]:.3f} at epoch {epoch:g} and "
            f"rises to {values[-1]:.3f}",
            epochs=max(epoch, 0.1),
        )


def _same_data(run: Run) -> Iterator[Finding]:
    folder, recorded = Path(run.data.folder), run.data.fingerprint
    try:
        now = DataFolder(folder).fingerprint
    except InputError:  # moved or removed: nothing to compare with, and nothing wrong
        return
    if now != recorded:
        yield finding(
            RUN, "data-changed", f"{run.name} was trained on {recorded}, but {folder} is {now} now"
        )


def _same_base(run: Run) -> Iterator[Finding]:
    model, recorded = run.base.model, run.base.weights_sha256
    now = _hash(model)
    if now is None:
        yield finding(RUN, "base-missing", f"{run.name} was trained on {model}, which is not here")
    elif now != recorded:
        yield finding(
            RUN,
            "base-changed",
            f"{run.name} was trained on {model} of {recorded[:12]}, which has the weights "
            f"{now[:12]} now",
        )


def _same_weights(run: Run) -> Iterator[Finding]:
    try:
        check_saved(run)
    except InputError as error:
        yield finding(RUN, "weights-changed", f"{run.name}: {error}")


def _adapter(run: Run) -> Iterator[Finding]:
    """Judge the adapter's own files: whether it moved, and whose it is."""
    named = settings_of(run.adapter).get("base_model_name_or_path")
    now, recorded = _hash(named) if named else None, run.base.weights_sha256
    is_other = now not in (None, recorded) and _hash(run.base.model) == recorded
    if is_other and named != models.location(run.base.model):  # a GGUF file's is its conversion
        yield finding(
            RUN,
            "adapter-wrong-base",
            f"{run.name}: the adapter is of {named}, the run of {run.base.model}",
        )
    zero, total = _zero_matrices(run.adapter / ADAPTER_WEIGHTS)
    if total and zero == total:
        yield finding(
            RUN, "adapter-zero", f"{run.name}: all {total} lora_B matrices of the adapter are zero"
        )


def _zero_matrices(file: Path) -> tuple[int, int]:
    """Return how many of an adapter's ``lora_B`` are all zero, and how many there are."""
    from safetensors import safe_open

    zero = total = 0
    with safe_open(str(file), framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - the handle is no mapping
            if ".lora_B." in name or ".lora_embedding_B" in name:
                total += 1
                zero += not tensors.get_tensor(name).any()
    return zero, total


def _hash(model: str) -> str | None:
    """Return the hash of a model's weights, or None where it is not on this disk."""
    try:
        return weights_hash(model)
    except (InputError, OSError):
        return None
