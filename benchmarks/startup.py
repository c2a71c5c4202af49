"""Start-up time: `--help` of every command, and a report on a few items."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from statistics import median

import click

from benchmarks.harness import Goal, Settings, run_command
from benchmarks.report import write_comparison

STAGES = ("prepdata", "tuning", "inference", "eval", "recipes")
LEAST_ROUNDS = 5
HELP_S = 0.3
REPORT_S = 3
ITEMS = 32


def measure(settings: Settings) -> list[Goal]:
    """Return the slowest `--help`, and the time of a small report; medians of several rounds."""
    rounds = max(LEAST_ROUNDS, settings.rounds)
    took = {
        f"{stage} {command}".strip(): _median(rounds, stage, *command.split(), "--help")
        for stage in STAGES
        for command in ("", *commands(stage))
    }
    slowest = max(took, key=lambda name: took[name])
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "comparison.json", Path(folder) / "out"
        write_comparison(file, ITEMS)
        took["report"] = _median(rounds, "eval", "report", file, "--out", out)
    works = {
        slowest: f"`--help` of {len(took) - 1} commands, the slowest: {slowest}",
        "report": f"`score report` on {ITEMS} items",
    }
    return [
        Goal(
            work=work,
            against="time",
            value=took[name][0],
            goal=REPORT_S if name == "report" else HELP_S,
            unit="s",
            checked=f"median of {rounds}; processor {took[name][1]:.2f} s",
        )
        for name, work in works.items()
    ]


def commands(stage: str) -> list[str]:
    """Return the commands of a stage's group."""
    main = import_module(f"tuneproof.{stage}.cli").main
    return sorted(main.commands) if isinstance(main, click.Group) else []


def _median(rounds: int, stage: str, *arguments: str | Path) -> tuple[float, float]:
    """Return a command's seconds and those of the processor, from Python's start to its end."""
    children = [run_command(stage, *arguments) for _ in range(rounds)]
    return median(c.seconds for c in children), median(c.cpu_seconds for c in children)
