"""Budgets: a training that ends, with its learning rate, when so much has been spent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback

from tuneproof.tuning.meter import Meter

LIMITS = ("max_seconds", "max_tokens", "max_flops")
"""The settings that are budgets."""


def budget_of(config: Mapping[str, Any], meter: Meter) -> Budget | None:
    """Return the budget of a run's settings, as run.json holds them; None where there is none."""
    has_one = any(config.get(name) is not None for name in LIMITS)
    return Budget(config, meter) if has_one else None


class Budget(TrainerCallback):  # type: ignore[misc]
    """Ends the training when its budget is spent; the learning rate follows the share spent.

    It ends with the step that comes closest to the budget. Evaluations cost nothing.
    """

    def __init__(self, config: Mapping[str, Any], meter: Meter) -> None:
        """Take the limits from the settings, and what is spent from the meter."""
        self._config = config
        self._meter = meter
        self.is_spent = False
        """Whether the budget is what ended the training."""
        self._last_share = 0.0

    @property
    def share(self) -> float:
        """How much of the budget is spent, in [0, 1]; of several, the one that is spent first."""
        spent = (self._meter.seconds, self._meter.spent.tokens, self._meter.spent.flops)
        limits = (self._config[name] for name in LIMITS)
        used = (one / limit for one, limit in zip(spent, limits, strict=True) if limit is not None)
        return float(min(1.0, max(used)))

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Have the learning rate follow the share that is spent."""
        self._last_share = self.share
        if self.share >= 1:  # gone on with, and spent already
            self.is_spent = control.should_training_stop = True
        scheduler = given["lr_scheduler"]
        scheduler.lr_lambdas = [self._factor] * len(scheduler.lr_lambdas)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop where one more step would lead further away from the budget."""
        share = self.share
        step, self._last_share = share - self._last_share, share
        if share + step / 2 >= 1 and not control.should_training_stop:
            self.is_spent = control.should_training_stop = True
            control.should_log = True

    def _factor(self, step: int) -> float:
        """Return what the peak learning rate is multiplied with in the next step."""
        warmup = self._config["warmup_steps"]
        early = min(1.0, step / warmup) if warmup >= 1 else 1.0
        return early * factor(
            self.share, self._config["lr_scheduler_type"], warmup if warmup < 1 else 0.0
        )


def factor(share: float, kind: str, warmup: float) -> float:
    """Return the learning rate as a part of its peak.

    Args:
        share: Of the budget that is spent, in [0, 1].
        kind: ``cosine``, ``linear`` or ``constant``.
        warmup: Share of the budget during which the rate rises from 0, under 1.
    """
    shapes: dict[str, Callable[[float], float]] = {
        "cosine": lambda rest: (1 + math.cos(math.pi * rest)) / 2,
        "linear": lambda rest: 1 - rest,
        "constant": lambda rest: 1.0,
    }
    if kind != "constant" and share < warmup:
        return share / warmup
    return shapes[kind]((share - warmup) / (1 - warmup))
