"""Offline means offline: no name is looked up and nothing outside this machine is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WATCH = """
import os, sys

def watch(event, values):
    if event.startswith(("socket.connect", "socket.sendto", "socket.get")):
        where = str(values[1] if event in ("socket.connect", "socket.sendto") else values[:1])
        if event == "socket.gethostname" or "127.0.0.1" in where or "localhost" in where:
            return
        with open(os.environ["ASKED"], "a") as file:
            file.write(f"{event} {where} by {sys.argv}\\n")
        raise OSError("this test has no network")

sys.addaudithook(watch)
"""
"""A sitecustomize.py: every Python process, those that others start included, is watched."""
COMMANDS = """
import socket
from tuneproof.recipes.cli import main as recipe
from tuneproof.tuning.cli import main as tune

demo = ["tune.max_steps=1", "compare.limit=2", "compare.max_new_tokens=4", "prepdata.limit=16"]
recipe(["run", "demo", *(f"--set={value}" for value in demo)], standalone_mode=False)
tune(["sweep", "sweep.yaml", "--data", "data/demo"], standalone_mode=False)
found = tune(
    ["doctor", "--data", "data/demo", "--run", "demo"]
    + ["--comparison", "reports/demo/test_comparison.json"],
    standalone_mode=False,
)
try:
    socket.getaddrinfo("a-name-that-is-looked-up", 80)
except OSError:
    pass
"""
SWEEP = """
tune: {model: tiny, max_steps: 1, max_length: 128, per_device_train_batch_size: 2}
search: {learning_rate: [1e-4, 1e-3]}
trials: 1
"""
UNSET = ("CI", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")
"""What would keep the libraries from asking, whatever we do."""


@pytest.mark.slow
def test_demo_sweep_and_doctor_ask_nothing_outside_this_machine(tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    subprocess.run(
        [sys.executable, "-c", COMMANDS],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": path, "ASKED": str(asked), "HF_HOME": str(tmp_path / "hf")},
        check=True,
        capture_output=True,
    )
    (line,) = asked.read_text().splitlines()  # only the one that is there on purpose
    assert "a-name-that-is-looked-up" in line
    assert (tmp_path / "runs/sweep-sweep/sweep.json").is_file()
