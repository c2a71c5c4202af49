"""What was lost since the run that is kept: `python -m benchmarks.compare [OLD] [NEW]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tuneproof.files import read_json

SLACK = 0.8
"""A ratio that fell below this share of what it was is lost; timings scatter."""
KEPT, RESULTS = Path("benchmarks/kept"), Path("benchmarks/results")
"""The folder of the last run that the repository keeps, and that of a new one."""


def lost(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for every row that got slower, misses its goal now, or is gone."""
    lines = []
    before = {_name(row): row for row in old["rows"]}
    after = {_name(row): row for row in new["rows"]}
    for name, row in before.items():
        if name not in after:
            lines.append(f"gone: {name}")
            continue
        ratio, goal = after[name]["ratio"], row["goal"]
        if ratio < SLACK * row["ratio"]:
            lines.append(f"slower: {name}: {row['ratio']:.1f}x, now {ratio:.1f}x")
        elif goal is not None and ratio < goal <= row["ratio"]:
            lines.append(f"goal missed: {name}: {ratio:.1f}x, goal {goal:g}x")
    met = {_name(goal): goal["is_met"] for goal in new["goals"]}
    for goal in old["goals"]:
        if goal["is_met"] and not met.get(_name(goal), True):
            lines.append(f"goal missed: {_name(goal)}")
        elif _name(goal) not in met:
            lines.append(f"gone: {_name(goal)}")
    return lines


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['work']} | {row['against']}"


@click.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True), default=KEPT)
@click.argument("new", type=click.Path(path_type=Path, exists=True), default=RESULTS)
def main(old: Path, new: Path) -> None:
    """Print what the parts in folder NEW lost against OLD; exit code 1 where anything was."""
    parts = [path.name for path in sorted(new.glob("*.json")) if (old / path.name).is_file()]
    lines = [line for part in parts for line in lost(read_json(old / part), read_json(new / part))]
    click.echo("\n".join(lines) or f"nothing lost in {', '.join(parts) or 'no part'}")
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
