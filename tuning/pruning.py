"""Giving up a training whose evaluations promise nothing."""

from __future__ import annotations

import math
from typing import Any

from transformers import TrainerCallback

from tuneproof.tuning.job import Judge


class Pruning(TrainerCallback):  # type: ignore[misc]
    """Asks a judge after every evaluation but the last: what is trained to its end is kept."""

    def __init__(self, judge: Judge | None) -> None:
        """Ask nobody where there is no judge."""
        self._judge = judge
        self.has_pruned = False
        """Whether the training was given up."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Pass the evaluation on, and stop where the judge says so."""
        if self._judge is None:
            return
        is_last = control.should_training_stop or state.global_step >= state.max_steps
        is_hopeless = self._judge(math.ceil(state.epoch - 1e-6), given["metrics"])
        if is_hopeless and not is_last:
            self.has_pruned = control.should_training_stop = True
