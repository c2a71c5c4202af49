"""What happens beside the training: the progress bar, metrics.jsonl, and a clean interruption."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

FIRST_STEPS = 5
"""Steps after which the time of the whole training is estimated; the first is not counted."""


class Progress(TrainerCallback):  # type: ignore[misc]
    """Shows loss, tokens per second and time left, and writes every log to metrics.jsonl."""

    def __init__(self, metrics: Path, say: Callable[[str], None]) -> None:
        """Append to a file; one object per line."""
        self._metrics = metrics
        self._say = say
        self._bar: Any = None
        self._loss = self._validation = ""
        self._first: tuple[float, int] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the bar where the training starts or goes on, and drop logs of steps not kept."""
        keep = []
        if self._metrics.exists():
            lines = self._metrics.read_text().splitlines()
            keep = [line for line in lines if json.loads(line)["step"] <= state.global_step]
        self._metrics.write_text("".join(line + "\n" for line in keep))
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="training",
            unit=" steps",
            file=sys.stderr,
            disable=None,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar; after the first steps say how long it will take."""
        self._bar.update(state.global_step - self._bar.n)
        if self._first is None:
            self._first = (time.perf_counter(), state.global_step)
        began, at = self._first
        if state.global_step - at == FIRST_STEPS:
            per_step = (time.perf_counter() - began) / FIRST_STEPS
            left = per_step * (state.max_steps - state.global_step)
            self._say(f"about {_duration(left)} to go ({per_step:.2f} s a step, evaluation apart)")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write one line to metrics.jsonl."""
        names = ("loss", "eval_loss", "learning_rate", "grad_norm", "num_tokens", "eval_runtime")
        row = {name: logs[name] for name in names if name in logs}
        if not row:
            return
        row = {"step": state.global_step, "epoch": round(state.epoch or 0.0, 4), **row}
        with self._metrics.open("a") as handle:
            handle.write(json.dumps(row) + "\n")
        if "loss" in logs:
            self._loss = f"loss {logs['loss']:.3f}"
            elapsed = self._bar.format_dict["elapsed"] or 1e-9
            rate = logs.get("num_tokens", 0) / elapsed
            self._bar.set_postfix_str(f"{self._loss} {self._validation} {rate:,.0f} tokens/s")
        if "eval_loss" in logs:
            self._validation = f"validation {logs['eval_loss']:.3f}"
            epoch = f"epoch {state.epoch:.0f}"
            self._say(f"{epoch}: {self._loss or 'loss not logged'}, {self._validation}")

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the bar."""
        self._bar.close()


class StopOnInterrupt(TrainerCallback):  # type: ignore[misc]
    """Ctrl-C ends the training after the step at hand, with a checkpoint to go on from."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Say what happens when the signal comes."""
        self._say = say
        self.is_interrupted = False
        self._before: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the signal over; a second one stops at once."""
        try:
            self._before = signal.signal(signal.SIGINT, self._note)
        except ValueError:
            self._before = None  # not the main thread: the caller's business

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop when the signal has come."""
        if self.is_interrupted and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Give the signal back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: Any) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.is_interrupted = True
        self._say("stopping after this step; the same command goes on from there")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
