"""How long a user waits for nothing: `--help` of every command, and a report on a few items."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median

import click

from benchmarks.answers import write_comparison
from benchmarks.child import ROOT, children_seconds
from benchmarks.results import Goal
from benchmarks.subjects import Settings

ROOMS = ("prepdata", "tuning", "inference", "eval", "recipes")
LEAST_ROUNDS = 5
HELP_S = 0.3
REPORT_S = 3
ITEMS = 32


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a command took."""

    seconds: float
    """What the user waits."""
    cpu_seconds: float
    """What the processor works; less where others use the machine too."""


def measure(settings: Settings) -> list[Goal]:
    """Return the slowest `--help`, and the time of a small report; medians of several rounds."""
    rounds = max(LEAST_ROUNDS, settings.rounds)
    took = {
        f"{room} {command}".strip(): _median(room, [*command.split(), "--help"], rounds)
        for room in ROOMS
        for command in ("", *commands(room))
    }
    slowest = max(took, key=lambda name: took[name].seconds)
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "comparison.json", Path(folder) / "out"
        write_comparison(file, ITEMS)
        report = _median("eval", ["report", str(file), "--out", str(out)], rounds)
    return [
        Goal.at_most(
            work=f"`--help` of {len(took)} commands, the slowest: {slowest}",
            against="time",
            value=took[slowest].seconds,
            goal=HELP_S,
            unit="s",
            checked=f"median of {rounds}; processor {took[slowest].cpu_seconds:.2f} s",
        ),
        Goal.at_most(
            work=f"`score report` on {ITEMS} items",
            against="time",
            value=report.seconds,
            goal=REPORT_S,
            unit="s",
            checked=f"median of {rounds}; processor {report.cpu_seconds:.2f} s",
        ),
    ]


def commands(room: str) -> list[str]:
    """Return the commands of a room's group."""
    main = import_module(f"{room}.cli").main
    return sorted(main.commands) if isinstance(main, click.Group) else []


def _median(room: str, arguments: list[str], rounds: int) -> Took:
    """Return the median times of a command, from the start of Python to its end."""
    code = f"from {room}.cli import main; main()"
    took, worked = [], []
    for _ in range(rounds):
        began, before = time.perf_counter(), children_seconds()
        subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, check=True, capture_output=True
        )
        took.append(time.perf_counter() - began)
        worked.append(children_seconds() - before)
    return Took(seconds=median(took), cpu_seconds=median(worked))
