"""What a comparison file says of a run's training."""

from __future__ import annotations

import json
from pathlib import Path

from tuneproof.formats.training import training_of

RESULT = {
    "flops": 7, "tokens_seen": 5, "train_seconds": 1.5, "epochs": 2.0, "wall_seconds": 9.0,
}  # fmt: skip


def test_evaluations_are_the_points_of_the_curve(tmp_path: Path) -> None:
    rows = [
        {"step": 1, "loss": 2.0, "flops": 3},
        {"step": 2, "epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.5, "seconds": 9.0,
         "train_seconds": 1.0, "num_tokens": 4, "flops": 6},
        {"step": 3, "epoch": 1.5, "eval_loss": 1.25},
    ]  # fmt: skip
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert training_of(tmp_path, {"result": RESULT}) == {
        "flops": 7, "tokens": 5, "seconds": 1.5, "epochs": 2.0,
        "curve": [
            {"step": 2, "epoch": 1.0, "flops": 6, "tokens": 4, "seconds": 1.0,
             "validation_loss": 1.5, "validation_accuracy": 0.5},
            {"step": 3, "epoch": 1.5, "validation_loss": 1.25},
        ],
    }  # fmt: skip


def test_older_run_says_less(tmp_path: Path) -> None:
    facts = {"result": {"tokens_seen": 5, "peak_gpu_memory_bytes": 8}}
    assert training_of(tmp_path, facts) == {"tokens": 5, "peak_gpu_memory_bytes": 8, "curve": []}
