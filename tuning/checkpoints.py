"""Checkpoints that a training goes on from: when they are saved, and whether they are whole."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from transformers import TrainerCallback

from tuneproof import ranks
from tuneproof.errors import InputError
from tuneproof.files import fingerprint, read_json, sync, write_json

FILE = "manifest.json"
"""The file in every checkpoint that is written last: size and hash of all others."""
STATE = "trainer_state.json"
KEPT = 2
"""Checkpoints that stay; the newest and the one of the best weights are always among them."""
EndedBy = Literal["early-stopping", "budget", "steps"]
log = logging.getLogger(__name__)


class TimedCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Saves checkpoints within epochs: every so many steps, and when the last one is too old.

    After an epoch's last step the epoch's own checkpoint follows, with the evaluation in it.
    """

    def __init__(self, every_minutes: float, every_steps: int | None = None) -> None:
        """Count from now on."""
        self._minutes, self._steps = every_minutes, every_steps
        self._saved = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save where it is time, by the first process's clock; the loss is logged up to there."""
        is_old = ranks.from_main(time.perf_counter() - self._saved >= 60 * self._minutes)
        is_due = is_old or (self._steps is not None and state.global_step % self._steps == 0)
        if is_due and not control.should_training_stop and not ends_epoch(state):
            control.should_log = control.should_save = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log the loss up to the epoch's checkpoint."""
        control.should_log = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time."""
        self._saved = time.perf_counter()


def ends_epoch(state: Any) -> bool:
    """Return whether a trainer's last step was the last of its epoch."""
    return float(state.epoch).is_integer()


class Vouching(TrainerCallback):  # type: ignore[misc]
    """Writes every checkpoint's manifest; to be added after the callbacks that write into it.

    Older checkpoints are removed when the newest is vouched for, so that there is always a whole
    one, with the best weights that it names.
    """

    def __init__(
        self, last: Path | None = None, ended_by: Callable[[], EndedBy | None] = lambda: None
    ) -> None:
        """Take what tells whether the training is at its end.

        Args:
            last: The checkpoint that is gone on from.
            ended_by: Returns what has ended the training, if anything has.
        """
        self.ended_by = ranks.from_main(end_of(last) if ranks.is_main() else None)
        """What had ended the training before it was interrupted; None where it goes on."""
        self._last, self._ended_by = last, ended_by

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look for the best checkpoint where the run's folder is now: it may have been moved."""
        if state.best_model_checkpoint is not None:
            name = Path(state.best_model_checkpoint).name
            state.best_model_checkpoint = str(Path(args.output_dir) / name)
        if self._last is not None and ranks.is_main():
            _remove_old(self._last.parent, state.best_model_checkpoint)
        if self.ended_by is not None:
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Have the disk keep the checkpoint, and write what its files are."""
        ranks.wait()  # every process writes files of its own into it
        if not ranks.is_main():
            return
        folder = checkpoint_folder(args, state)
        if folder.is_dir():
            vouch_for(folder, self._ended_by())
            _remove_old(folder.parent, state.best_model_checkpoint)


def checkpoint_folder(args: Any, state: Any) -> Path:
    """Return the folder of the checkpoint of a trainer's last step."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def vouch_for(folder: Path, ended_by: EndedBy | None = None) -> None:
    """Write the manifest of a checkpoint that is complete.

    Args:
        folder: The checkpoint.
        ended_by: What ended the training with it; None where steps are to follow.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FILE)
    sync(*files)
    facts = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": fingerprint(path),
        }
        for path in files
    }
    write_json(folder / FILE, {"files": facts, "ended_by": ended_by})


def end_of(checkpoint: Path | None) -> EndedBy | None:
    """Return what ended the training whose last checkpoint this is; None where steps follow."""
    if checkpoint is None:
        return None
    ended_by: EndedBy | None = read_json(checkpoint / FILE).get("ended_by")
    return ended_by


def _remove_old(folder: Path, best: str | None) -> None:
    """Remove the oldest checkpoints, but neither the newest nor that of the best weights."""
    checkpoints = _by_step(folder)
    protected = {checkpoints[-1].name, *([] if best is None else [Path(best).name])}
    spare = [path for path in checkpoints if path.name not in protected]
    for path in spare[: len(checkpoints) - max(KEPT, len(protected))]:
        shutil.rmtree(path, ignore_errors=True)


def _by_step(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the oldest first."""
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that is whole, together with the one of the best weights.

    Newer ones are removed, and it is said what is wrong with them.
    """
    for newest in reversed(_by_step(folder)):
        fault = fault_of(newest) or _fault_of_best(newest)
        if fault is None:
            return newest
        log.warning(f"not going on from {newest.name}: {fault}")
        shutil.rmtree(newest)
    return None


def fault_of(checkpoint: Path) -> str | None:
    """Return why a checkpoint is not the one that was saved, or None where it is."""
    if not (checkpoint / FILE).is_file():
        return f"it has no {FILE}, so that its saving was cut off"
    try:
        files = read_json(checkpoint / FILE)["files"]
        facts = [(checkpoint / name, fact["bytes"], fact["sha256"]) for name, fact in files.items()]
    except (AttributeError, InputError, KeyError, TypeError):
        return f"its {FILE} cannot be read"
    for path, size, sha256 in facts:
        if not path.is_file():
            return f"{path.name} is missing"
        if path.stat().st_size != size or fingerprint(path) != sha256:
            return f"{path.name} is not the file that was saved"
    return None


def _fault_of_best(checkpoint: Path) -> str | None:
    """Return what is wrong with the checkpoint of the best weights that another one names."""
    try:
        named = read_json(checkpoint / STATE).get("best_model_checkpoint")
    except (AttributeError, InputError):
        return f"{STATE} cannot be read"
    if named is None:
        return None
    best = checkpoint.parent / Path(named).name
    fault = "it is missing" if not best.is_dir() else fault_of(best)
    return fault and f"the best weights are those of {best.name}, and {fault}"
