"""The memory of a training does not grow with its data, which are read and tokenised on the disk.

`TUNEPROOF_MEMORY=500` tries to train on 500 MB under a limit of a tenth of that.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TRAINED = """
import re, resource, sys, threading, time
from pathlib import Path
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.run import finetune

def data():  # what the process may write to for itself
    return 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def watch():
    while True:
        peak[0] = max(peak[0], data())
        time.sleep(0.002)

folder, model, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
peak = [0]
threading.Thread(target=watch, daemon=True).start()
finetune(TuneConfig(
    data=Path(folder), model=model, name="short", runs=Path(folder) / "runs", max_length=64,
    max_steps=2, per_device_train_batch_size=4, lora_r=2, mixed_precision="no",
    sample_prompts=0,
))
print(peak[0])
"""
LEAST = 32_000_000
"""Bytes that reading and tokenising works with, whatever there is."""


def trained(folder: Path, model: Path, limit: int = 0) -> int:
    """Train for two steps in a process of its own; return the bytes that it could write to."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINED, str(folder), str(model), str(limit)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts what a process may write to")
def test_data_larger_than_a_hard_limit_are_trained_on(
    base_models: dict[str, Path], write_data: Callable[..., Path], tmp_path: Path
) -> None:
    size = 1_000_000 * int(os.environ.get("TUNEPROOF_MEMORY", "4"))
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(5000)]
    for name, rows in (("small", 60), ("large", size // 380)):
        folder = write_data(tmp_path / name)
        with (folder / "train.jsonl").open("w") as lines:
            for number in range(rows):
                row = {"id": str(number), "task": "t"}
                for key, count in (("instruction", 5), ("input", 45), ("output", 5)):
                    row[key] = " ".join(draw.choices(words, k=count))
                lines.write(json.dumps(row) + "\n")
    needed = trained(tmp_path / "small", base_models["gpt2"])
    length = (tmp_path / "large" / "train.jsonl").stat().st_size
    allowed = max(LEAST, length // 10)
    most = trained(tmp_path / "large", base_models["gpt2"], needed + allowed)
    print(f"{length:,} bytes trained on in {most - needed:,} bytes more than 60 rows; {needed:,}")
