"""Compare settings that were trained with several seeds each: `python -m benchmarks.defaults FILE`.

The file is a comparison of runs called SETTING-seedN; `docs/defaults.yaml` makes one. Every setting
is compared with the first one, seed by seed and item by item, with both as samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores, score
from tuneproof.eval.stats.seeds import over_seeds, seeds_of
from tuneproof.formats.comparison import Comparison, read_comparison

SHOWN = ("rougeL", "chrf", "loop_rate", "stop_rate", "length")
"""The metrics of the table, where there are values."""
LEVEL = 0.05
"""Of the intervals."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
def main(file: Path) -> None:
    """Print a table in Markdown: every setting's metrics, and how they differ from the first's."""
    click.echo(page(read_comparison(file)))


def page(comparison: Comparison) -> str:
    """Return the table: mean over seeds and items, and the difference with its 95 % interval."""
    scores = score(comparison)
    settings = seeds_of(comparison)
    metrics = [name for name in SHOWN if name in scores.values]
    lines = [
        "| setting | seeds | " + " | ".join(METRICS[name].title for name in metrics) + " |",
        "|---|--:|" + "--:|" * len(metrics),
    ]
    first = next(iter(settings.values()))
    for name, runs in settings.items():
        cells = [_cell(comparison, scores, metric, runs, first) for metric in metrics]
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(
    comparison: Comparison, scores: Scores, metric: str, runs: Sequence[str], first: Sequence[str]
) -> str:
    """Return a mean, and its difference from the first setting's."""
    table = scores.values[metric]
    values, others = (
        table[:, [comparison.names.index(name) for name in names]].T for names in (runs, first)
    )
    mean = f"{np.nanmean(values):.3f}"
    if list(runs) == list(first):
        return mean
    known = ~np.isnan(values - others).any(axis=0)
    groups = None if scores.units is None else scores.units[known]
    if groups is not None:
        groups = np.unique(groups, return_inverse=True)[1]
    difference = over_seeds((values - others)[:, known], groups)
    low, high = difference.interval(LEVEL)
    return f"{mean}; {difference.value:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
