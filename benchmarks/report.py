"""A report on many items: time and memory."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.answers import VARIANTS, write_comparison
from benchmarks.child import run
from benchmarks.results import Goal
from benchmarks.subjects import Settings
from tuneproof.eval.metrics.registry import metrics_of

ITEMS = 10_000
RESAMPLES = 10_000
MOST_S = 90
MOST_BYTES = 2e9


def measure(settings: Settings) -> list[Goal]:
    """Return time and memory of `score report` on items that all stand for themselves."""
    items = 200 if settings.is_small else ITEMS
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "comparison.json", Path(folder) / "out"
        write_comparison(file, items, groups=False)
        child = run("score", "report", file, "--out", out, "--resamples", str(RESAMPLES))
        found = json.loads((out / "report.json").read_text())
    missing = set(metrics_of(with_labels=False, with_programs=True)) - set(found["metrics"]["base"])
    if missing:
        raise RuntimeError(f"not scored: {', '.join(sorted(missing))}")
    work = f"`score report`, {items:,} items x {len(VARIANTS)} variants, {RESAMPLES:,} resamples"
    checked = f"all {len(found['definitions'])} metrics of texts have values"
    return [
        Goal.at_most(
            work=work,
            against="time",
            value=child.seconds,
            goal=MOST_S,
            unit="s",
            checked=f"{checked}; processor {child.cpu_seconds:.1f} s",
        ),
        Goal.at_most(
            work=work,
            against="peak memory",
            value=child.peak_bytes / 1e9,
            goal=MOST_BYTES / 1e9,
            unit="GB",
            checked=checked,
        ),
    ]
