"""What a run's training took, and how it went, as a comparison file carries it along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TAKEN = {
    "flops": "flops",
    "tokens": "tokens_seen",
    "seconds": "train_seconds",
    "epochs": "epochs",
    "peak_gpu_memory_bytes": "peak_gpu_memory_bytes",
}
"""What it took, and the names of it in run.json; `seconds` without those of the evaluations."""
LOGGED = {
    "step": "step",
    "epoch": "epoch",
    "flops": "flops",
    "tokens": "num_tokens",
    "seconds": "train_seconds",
    "validation_loss": "eval_loss",
    "validation_accuracy": "eval_accuracy",
}
"""A point of the curve, and the names of it in metrics.jsonl."""


def training_of(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the training of a finished run took, with a point for each of its evaluations.

    What an older run did not record is left out.

    Args:
        folder: The run's.
        facts: What its run.json says.
    """
    result = facts["result"]
    taken = {name: result[key] for name, key in TAKEN.items() if key in result}
    return {**taken, "curve": _curve(folder / "metrics.jsonl")}


def _curve(metrics: Path) -> list[dict[str, Any]]:
    if not metrics.is_file():
        return []
    rows = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
    return [
        {name: row[key] for name, key in LOGGED.items() if key in row}
        for row in rows
        if "eval_loss" in row
    ]
