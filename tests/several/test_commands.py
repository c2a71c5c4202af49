"""Commands that start several processes, and what becomes of the job when one of them ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Settings = Callable[..., dict[str, Any]]


def command(settings: dict[str, Any]) -> list[str]:
    """Return `tune run` of the settings in two processes."""
    options = [
        part
        for name, value in settings.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    return [sys.executable, "-m", "tuneproof.tuning", "run", "--num-processes", "2", *options]


def start(settings: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def second_of(launcher: int) -> int:
    """Return the pid of a launcher's process of rank 1."""
    import psutil

    children = psutil.Process(launcher).children()
    return next(child.pid for child in children if child.environ().get("RANK") == "1")


@pytest.mark.slow
def test_killed_process_ends_the_job_and_the_checkpoint_goes_on(
    settings: Settings, folder: Path
) -> None:
    from tuneproof.options import from_mapping
    from tuneproof.tuning.checkpoints import last_checkpoint
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    plan = settings(name="killed", num_train_epochs=12, save_steps=2)
    process = start(plan)
    checkpoints = folder / "runs/killed/checkpoints"
    deadline = time.monotonic() + 500
    while not list(checkpoints.glob("checkpoint-*/manifest.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(second_of(process.pid), signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "process 1 of 2 was killed (SIGKILL), and the others were ended" in err
    assert "Traceback" not in err
    assert out == ""
    last = last_checkpoint(checkpoints)
    assert last is not None
    done = finetune(from_mapping(TuneConfig, plan, "plan"))
    assert done.outcome.steps == 4 * 12
    steps = [json.loads(line) for line in done.metrics.read_text().splitlines()]
    assert [row["step"] for row in steps if "loss" in row] == list(range(1, 49))


@pytest.mark.slow
def test_error_that_all_have_is_said_once(settings: Settings, folder: Path) -> None:
    done = subprocess.run(
        command(settings(name="none", data=folder / "nowhere")),
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("Error: ") == 1
    assert "Traceback" not in done.stderr
    assert not (folder / "runs/none").exists()
