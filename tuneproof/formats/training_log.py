"""metrics.jsonl: the losses and evaluations of a training, one line each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.formats.codec import decode


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line of metrics.jsonl: the loss of a step, or an evaluation; null is left out."""

    step: int
    """Steps taken."""
    epoch: float | None = None
    """Epochs taken."""
    loss: float | None = None
    """Training loss, in nats per token."""
    eval_loss: float | None = None
    """Validation loss, in nats per token."""
    eval_accuracy: float | None = None
    """Share of right labels, where answers are labels."""
    learning_rate: float | None = None
    """Of the step."""
    grad_norm: float | None = None
    """Norm of the gradient, before it is clipped."""
    eval_runtime: float | None = None
    """Seconds that the evaluation took."""
    seconds: float | None = None
    """Wall time so far, evaluations included."""
    num_tokens: int | None = None
    """Tokens seen so far."""
    train_seconds: float | None = None
    """Wall time of the steps so far."""
    flops: int | None = None
    """Floating-point operations of the steps so far."""


def validation_curve(metrics: Path) -> list[dict[str, Any]]:
    """Return the evaluations as points of the curve, without unknown values."""
    if not metrics.is_file():
        return []
    rows = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
    points = []
    for line in (decode(LogLine, row, str(metrics)) for row in rows if "eval_loss" in row):
        point = {
            "step": line.step,
            "epoch": line.epoch,
            "flops": line.flops,
            "tokens": line.num_tokens,
            "seconds": line.train_seconds,
            "validation_loss": line.eval_loss,
            "validation_accuracy": line.eval_accuracy,
        }
        points.append({name: value for name, value in point.items() if value is not None})
    return points
