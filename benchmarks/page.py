"""Write the results: JSON for each part, with machine and versions, and one page of tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from benchmarks.harness import Goal, Result, Row, Timing
from tuneproof.files import read_json, write_json, write_text
from tuneproof.stamp import versions_of

KEPT = Path(__file__).parent / "kept"
"""The results that the repository keeps, and the README quotes."""
GOAL = ("goal", "met", "checked")
PACKAGES = ("tuneproof", "torch", "transformers", "peft", "trl", "lm_eval")


def write(
    part: str, results: Sequence[Result], out: Path, took: Mapping[str, float] | None = None
) -> None:
    """Write PART.json, and benchmarks.md of all the parts that stand in the folder.

    Args:
        part: Its name.
        results: What it measured.
        out: The folder.
        took: `seconds` and `cpu_seconds` of the whole part.
    """
    rows = [row for row in results if isinstance(row, Row)]
    goals = [goal for goal in results if isinstance(goal, Goal)]
    facts = {
        "machine": _machine(),
        "versions": versions_of(PACKAGES),
        "rows": [asdict(row) | {"ratio": row.ratio, "is_met": row.is_met} for row in rows],
        "goals": [asdict(goal) | {"is_met": goal.is_met} for goal in goals],
        "took": took,
    }
    write_json(out / f"{part}.json", facts)
    write_page(out)


def write_page(out: Path) -> None:
    """Write benchmarks.md of all the parts that stand in a folder."""
    parts = {path.stem: read_json(path) for path in sorted(out.glob("*.json"))}
    results = {part: _results(facts) for part, facts in parts.items()}
    pages = [_goals_of_all(results)] if any(map(_with_goal, results.values())) else []
    pages += [_page(part, facts, results[part]) for part, facts in parts.items()]
    write_text(out / "benchmarks.md", "\n".join(pages))


def tables(results: Sequence[Result]) -> str:
    """Return a table in Markdown of the comparisons there are, and one of the figures."""
    rows = [row for row in results if isinstance(row, Row)]
    goals = [goal for goal in results if isinstance(goal, Goal)]
    parts = []
    if rows:
        sides = ("ours", "theirs", "ratio")
        parts.append(_table(("work", "against", *sides, *GOAL), "LLRRRRLL", map(_row, rows)))
    if goals:
        parts.append(_table(("work", "against", "figure", *GOAL), "LLRRLL", map(_goal, goals)))
    return "\n".join(parts)


def _results(facts: Mapping[str, Any]) -> list[Result]:
    """Return the results of a part's file."""

    def known(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
        names = {field.name for field in fields(kind)}
        return {name: value for name, value in values.items() if name in names}

    rows = [
        Row(**known(Row, row) | {side: Timing(**row[side]) for side in ("ours", "theirs")})
        for row in facts["rows"]
    ]
    return [*rows, *(Goal(**known(Goal, goal)) for goal in facts["goals"])]


def _with_goal(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.is_met is not None]


def _goals_of_all(parts: Mapping[str, Sequence[Result]]) -> str:
    """Return the section of everything that has a goal, over all parts, and how many are met."""
    goals = [(part, result) for part, results in parts.items() for result in _with_goal(results)]
    lines = (
        [part, result.work, result.against, *_bound(result), _met(result.is_met)]
        for part, result in goals
    )
    met = sum(bool(result.is_met) for _, result in goals)
    table = _table(("part", "work", "against", "figure", "goal", "met"), "LLLRRL", lines)
    return f"## goals\n\n{met} of {len(goals)} met\n\n{table}"


def _page(part: str, facts: Mapping[str, Any], results: Sequence[Result]) -> str:
    machine, took = facts["machine"], facts["took"]
    named = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    where = f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores"
    minutes = (
        f"; the whole part took {took['seconds'] / 60:.1f} minutes, {took['cpu_seconds'] / 60:.1f} "
        "of a processor"
        if took
        else ""
    )
    return f"## {part}\n\n{where}; {named}{minutes}\n\n{tables(results)}"


def _table(head: Sequence[str], sides: str, lines: Any) -> str:
    """Return a table whose columns stand to the left (L) or right (R)."""
    rules = ["--:" if side == "R" else "---" for side in sides]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rules, *lines))


def _row(row: Row) -> list[str]:
    goal = "" if row.goal is None else f"{row.goal:g}x"
    sides = [_timing(row, row.ours), _timing(row, row.theirs)]
    ratio = f"**{row.ratio:.1f}x**"
    return [row.work, row.against, *sides, ratio, goal, _met(row.is_met), row.checked]


def _goal(goal: Goal) -> list[str]:
    return [goal.work, goal.against, *_bound(goal), _met(goal.is_met), goal.checked]


def _bound(result: Result) -> tuple[str, str]:
    """Return figure and goal as they are shown."""
    if isinstance(result, Row):
        return f"**{result.ratio:.1f}x**", f"at least {result.goal:g}x"
    bound = "at most" if result.is_upper else "at least"
    figure = f"**{_figure(result.value)} {result.unit}**"
    return figure, f"{bound} {result.goal:,g} {result.unit}"


def _met(is_met: bool | None) -> str:
    return "" if is_met is None else "yes" if is_met else "**no**"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _timing(row: Row, timing: Timing) -> str:
    speed = "" if row.amount is None else f", {_figure(row.amount / timing.seconds)} {row.unit}/s"
    spread = "1 round" if timing.rounds == 1 else f"{timing.low:.2f}-{timing.high:.2f}"
    return f"{timing.seconds:.2f} s ({spread}){speed}"


def _machine() -> dict[str, Any]:
    cores = os.cpu_count() or 1
    return {
        "processor": _processor(),
        "cores": cores,
        "threads": int(os.environ.get("OMP_NUM_THREADS", cores)),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
