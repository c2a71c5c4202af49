"""metrics.jsonl: the losses and evaluations of a training, one line each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.files import parse_jsonl
from tuneproof.formats.codec import decode, member


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
    points = []
    for number, row in _whole_lines(metrics):
        if "eval_loss" not in row:
            continue
        known = {  # a loss may be no number
            name: value
            for name, value in row.items()
            if not isinstance(value, float) or math.isfinite(value)
        }
        line = decode(LogLine, known, f"{metrics}:{number}")
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


def read_metrics(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics.jsonl, all of numbers; a last one that was cut off is left out.

    Raises:
        InputError: Another line is none of ours; file and line are named.
    """
    rows = []
    for number, row in _whole_lines(file):
        where = f"{file}:{number}"
        member(row, "step", int, where)
        numbers = {k: v for k, v in row.items() if not isinstance(v, float)}  # NaN is a loss, too
        rows.append(row | {key: member(numbers, key, float, where) for key in numbers})
    return rows


def _whole_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines with their numbers, but for a last one that was cut off; none of no file."""
    if file.is_file():
        text = file.read_text(encoding="utf-8", errors="replace")
        yield from parse_jsonl(text.split("\n")[:-1], str(file))
