"""Transformers callbacks of a training: progress, metrics.jsonl, checkpoints, early stops."""

from __future__ import annotations

import json
import logging
import math
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm
from transformers import TrainerCallback

from tuneproof import ranks
from tuneproof.errors import InputError, Terminated
from tuneproof.files import atomic_write, write_text
from tuneproof.formats.training_log import read_metrics
from tuneproof.log import NOTICE
from tuneproof.text import duration
from tuneproof.tuning.checkpoints import ends_epoch

if TYPE_CHECKING:
    from tuneproof.tuning.job import Pruner

log = logging.getLogger(__name__)

FIRST_STEPS = 5
"""Steps after which the time of the whole training is estimated; the first is not counted."""
LOGGED = ("loss", "eval_loss", "eval_accuracy", "learning_rate", "grad_norm", "eval_runtime")
"""What metrics.jsonl keeps of a log."""
LINES = 10
"""Lines about the progress of a training that no terminal shows."""
SMOOTHED = 10
"""Logged losses whose mean is shown; that of a single batch says little."""


class Progress(TrainerCallback):  # type: ignore[misc]
    """Shows loss, tokens per second and time left, and writes every log to metrics.jsonl.

    Of several processes the first does.
    """

    def __init__(
        self,
        metrics: Path,
        share: Callable[[], float] | None = None,
        spent: Callable[[], dict[str, float]] = dict,
    ) -> None:
        """Append to a file; one object per line.

        Args:
            metrics: The file.
            share: Returns how much of a budget is spent, where one ends the training.
            spent: Returns further keys of every line, such as the FLOPs so far.
        """
        self._spent = spent
        self._share = share
        self._metrics = metrics
        self._bar: Any = None
        self._losses: deque[float] = deque(maxlen=SMOOTHED)
        self._loss = self._validation = ""
        self._began = self._earlier = 0.0
        self._from = (0, 0)
        self._first: tuple[float, int] | None = None
        self._next_line = 0
        self._from_share, self._next_tenth = 0.0, 1

    @property
    def seconds(self) -> float:
        """Time spent training, evaluation and earlier tries included."""
        return self._earlier + time.perf_counter() - self._began

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the bar where the training starts or goes on, and drop logs of steps not kept."""
        keep = [row for row in read_metrics(self._metrics) if row["step"] <= state.global_step]
        ranks.wait()  # all have read it
        if ranks.is_main():
            write_text(self._metrics, "".join(json.dumps(row) + "\n" for row in keep))
        self._earlier = max((row.get("seconds", 0.0) for row in keep), default=0.0)
        self._began = time.perf_counter()
        self._from = (state.global_step, state.num_input_tokens_seen)
        self._from_share = 0.0 if self._share is None else self._share()
        self._next_line = state.global_step + max(1, state.max_steps // LINES)
        self._bar = tqdm(
            total=state.max_steps if self._share is None else None,
            initial=state.global_step,
            desc="training",
            unit=" steps",
            file=sys.stderr,
            disable=None if ranks.is_main() else True,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar; after the first steps say how long it will take."""
        self._bar.update(state.global_step - self._bar.n)
        if self._first is None:
            self._first = (time.perf_counter(), state.global_step)
        began, at = self._first
        if self._share is None and state.global_step - at == FIRST_STEPS < state.max_steps - at:
            per_step = (time.perf_counter() - began) / FIRST_STEPS
            left = per_step * (state.max_steps - state.global_step)
            log.info(
                f"about {duration(round(left))} to go ({per_step:.2f} s a step, evaluation apart)"
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write one line to metrics.jsonl, and show the progress."""
        row = {name: logs[name] for name in LOGGED if name in logs}
        if not row:
            return
        if not math.isfinite(row.get("grad_norm", 0.0)):
            del row[
                "grad_norm"
            ]  # in float16 the scaler finds its scale so, and leaves the step out
        if not math.isfinite(row.get("loss", 0.0)):
            raise InputError(
                f"the loss is {row['loss']} at step {state.global_step}; a lower learning_rate or "
                "dtype float32 may help"
            )
        if not ranks.is_main():
            return
        where = {"step": state.global_step, "epoch": round(state.epoch or 0.0, 4)}
        spent = {"seconds": round(self.seconds, 2), "num_tokens": state.num_input_tokens_seen}
        try:
            with self._metrics.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps({**where, **row, **spent, **self._spent()}) + "\n")
        except FileNotFoundError as error:
            folder = self._metrics.parent
            raise InputError(f"{folder} was deleted while its run was trained") from error
        if "loss" in logs:
            self._losses.append(logs["loss"])
            self._loss = f"loss {sum(self._losses) / len(self._losses):.3f}"
            self._show(state)
        if "eval_loss" in logs:
            self._validation = f"validation {logs['eval_loss']:.3f}"
            if "eval_accuracy" in logs:
                self._validation += f" ({logs['eval_accuracy']:.1%} right)"
            log.info(f"epoch {state.epoch:.3g}: {self._loss}, {self._validation}")

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the bar."""
        self._bar.close()

    def _show(self, state: Any) -> None:
        """Show loss, speed and time left: on the bar, or as a line now and then."""
        steps, tokens = state.global_step - self._from[0], state.num_input_tokens_seen
        elapsed = time.perf_counter() - self._began
        rate = f"{(tokens - self._from[1]) / elapsed:,.0f} tokens/s"
        self._bar.set_postfix_str(f"{self._loss} {self._validation} {rate}")
        if self._share is not None:
            self._show_budget(self._share(), state, rate, elapsed)
        elif self._bar.disable and state.global_step >= self._next_line:
            self._next_line += max(1, state.max_steps // LINES)
            left = duration(round(elapsed / steps * (state.max_steps - state.global_step)))
            step = f"step {state.global_step:,}/{state.max_steps:,}"
            log.info(f"{step}: {self._loss}, {rate}, {left} left")

    def _show_budget(self, share: float, state: Any, rate: str, elapsed: float) -> None:
        """Log how much of a budget is spent, at every tenth of it."""
        if self._bar.disable and share * LINES >= self._next_tenth:
            self._next_tenth = int(share * LINES) + 1
            spent = share - self._from_share
            left = (
                f", about {duration(round(elapsed / spent * (1 - share)))} left"
                if spent > 0
                else ""
            )
            step = f"step {state.global_step:,}, {share:.0%} of the budget"
            log.info(f"{step}: {self._loss}, {rate}{left}")


class StopOnSignal(TrainerCallback):  # type: ignore[misc]
    """Ctrl-C and SIGTERM end the training after the step at hand, with a checkpoint to go on from.

    The signals are taken over while the ``with`` block runs; a second Ctrl-C stops at once. Of
    several processes all stop after the same step, whichever of them got a signal.
    """

    def __init__(self) -> None:
        """Wait for a signal."""
        self._asked: int | None = None
        self._before: dict[int, Any] = {}
        self._is_amid = False
        self.has_stopped = False
        """Whether the training was ended before its last step."""

    @property
    def as_exception(self) -> KeyboardInterrupt:
        """What the signal is to whoever started the training."""
        return Terminated() if self._asked == signal.SIGTERM else KeyboardInterrupt()

    def __enter__(self) -> StopOnSignal:
        """Take the signals over."""
        with suppress(ValueError):  # not the main thread: the caller's business
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log, save and stop when a signal has come; a whole epoch is evaluated before."""
        self._agree()
        if self._asked is not None and not control.should_training_stop:
            self.has_stopped = control.should_log = control.should_training_stop = True
            self._is_amid = not ends_epoch(state)
            control.should_save = control.should_save or self._is_amid

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop when it came during the evaluation; the epoch's checkpoint follows it."""
        self._agree()
        if self._asked is not None and not control.should_training_stop:
            self.has_stopped = control.should_training_stop = True
            self._is_amid = not ends_epoch(state)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave out what belongs to the end of a whole epoch."""
        if self.has_stopped and self._is_amid:
            control.should_evaluate = control.should_save = False

    def _agree(self) -> None:
        """Take over a signal that another process got."""
        if ranks.world_size() > 1:
            self._asked = int(ranks.largest(self._asked or 0)) or None

    def _note(self, number: int, _: Any) -> None:
        if self._asked is not None:
            if number == signal.SIGTERM:  # sent again, to be sure
                return
            raise KeyboardInterrupt
        self._asked = number
        with suppress(RuntimeError):  # it came amid a write
            log.log(
                NOTICE,
                "stopping after this step, with a checkpoint; the same command goes on from there",
            )


class StepEvaluations(TrainerCallback):  # type: ignore[misc]
    """Evaluates within epochs, and saves, since the best weights must be on the disk."""

    def __init__(self, every_steps: int) -> None:
        """Take the number of optimizer steps between two evaluations."""
        self._every = every_steps
        self._last = -1

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate where it is time."""
        if state.global_step % self._every == 0:
            control.should_evaluate = control.should_save = control.should_log = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the step."""
        self._last = state.global_step

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the epoch's evaluation out where its last step has just had one."""
        if self._last == state.global_step:
            control.should_evaluate = control.should_save = False


class EarlyStopping(TrainerCallback):  # type: ignore[misc]
    """Ends a training whose evaluations become no better.

    Evaluations are counted in the trainer's own log, so that a training that goes on from a
    checkpoint stops where the one would that was not interrupted.
    """

    def __init__(self, patience: int | None) -> None:
        """Take the number of evaluations in a row without a better one; None never stops."""
        self._patience = patience
        self.has_stopped = False
        """Whether the training was ended before its last step."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop when patience is at its end."""
        if self._patience is None:
            return
        name = f"eval_{args.metric_for_best_model.removeprefix('eval_')}"
        worst = -math.inf if args.greater_is_better else math.inf
        values = [row[name] for row in state.log_history if name in row]
        values = [value if math.isfinite(value) else worst for value in values]
        best = (max if args.greater_is_better else min)(values)
        since = len(values) - 1 - values.index(best)
        if since < self._patience or state.global_step >= state.max_steps:
            return
        self.has_stopped = control.should_training_stop = True
        log.info(f"stopping early: {since} evaluations after that of {name} {best:.4g}")


class Pruning(TrainerCallback):  # type: ignore[misc]
    """Ends a sweep's trial early where its pruner says so; a training at its last step is kept."""

    def __init__(self, pruner: Pruner | None) -> None:
        """Never prune where there is no pruner."""
        self._pruner = pruner
        self.has_pruned = False
        """Whether the training was pruned."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Pass the evaluation on, and stop where the pruner says so."""
        is_last = control.should_training_stop or state.global_step >= state.max_steps
        if self._pruner is None or not (is_last or ends_epoch(state)):
            return
        is_hopeless = self._pruner(math.ceil(state.epoch - 1e-6), kwargs["metrics"])
        if is_hopeless and not is_last:
            self.has_pruned = control.should_training_stop = True


def plot_loss(metrics: Path, out: Path, of: str) -> None:
    """Draw training and validation loss over the steps as a PNG.

    Args:
        metrics: The training's log.
        out: The file to write.
        of: What the loss is a mean over, such as a trained token.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_metrics(metrics)
    training = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    validation = [(row["step"], row["eval_loss"]) for row in rows if "eval_loss" in row]
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if training:
        axes.plot(*zip(*training, strict=True), color="#4477aa", label="training", linewidth=1.2)
    if validation:
        axes.plot(*zip(*validation, strict=True), "o-", color="#cc6677", label="validation")
    axes.set(xlabel="optimizer steps", ylabel=f"loss (nats per {of})", title="Loss")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if training or validation:
        axes.legend(frameon=False)
    with atomic_write(out, "wb") as handle:
        figure.savefig(handle, format="png", dpi=130)
