"""Two processes with a GPU each do what one does alone; skipped where there are fewer than two."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tuneproof.formats.run import Run, read_run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        torch.cuda.device_count() < 2, reason="a GPU for each of two processes needs two"
    ),
]
ROOT = Path(__file__).parents[2]
Tuned = Callable[..., Run]
SAME = {"mixed_precision": "no", "num_train_epochs": 2}
"""In float32 the losses differ by what the order of additions does."""


def by_two(stage: str, command: str, *options: object) -> None:
    """Run a command in two processes; NCCL refuses to let both have one GPU."""
    started = [sys.executable, "-m", f"tuneproof.{stage}", command, "--num-processes", "2"]
    done = subprocess.run(
        [*started, *map(str, options)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr


def losses(run: Run) -> list[float]:
    """Return the losses of a run, step by step."""
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.fixture
def runs(tuned: Tuned, llama: Path, tmp_path: Path) -> tuple[Run, Run]:
    """A training on one GPU, and the same on two with half the batch each."""
    alone = tuned(name="alone", per_device_train_batch_size=8, **SAME)
    by_two(
        "tuning", "run", "--data", tmp_path / "data", "--model", llama, "--name", "together",
        "--runs", tmp_path / "runs", "--max-length", 96, "--num-train-epochs", 2,
        "--per-device-train-batch-size", 4, "--learning-rate", 3e-3, "--lora-r", 4,
        "--mixed-precision", "no",
    )  # fmt: skip
    return alone, read_run(tmp_path / "runs" / "together")


def test_two_gpus_train_and_answer_as_one_does(runs: tuple[Run, Run], tmp_path: Path) -> None:
    from tuneproof.inference.cli import main

    alone, together = runs
    assert (alone.processes, together.processes) == (1, 2)
    assert together.device == torch.cuda.get_device_name(0)
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    options = [
        tmp_path / "data" / "train.jsonl", "--run", "together", "--runs", tmp_path / "runs",
        "--dtype", "float32", "--batch-size", 4, "--max-new-tokens", 8, "--out",
    ]  # fmt: skip
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    main(["compare", *map(str, [*options, one])], standalone_mode=False)
    by_two("inference", "compare", *options, two)
    assert json.loads(two.read_text())["items"] == json.loads(one.read_text())["items"]
