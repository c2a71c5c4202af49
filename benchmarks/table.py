"""What a benchmark found, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.results import Goal, Result, Row, Share
from benchmarks.timing import Timing


def markdown(results: Sequence[Result]) -> str:
    """Return a table for each kind of result there is: comparisons, goals, shares."""
    kinds: dict[type, Callable[[Any], str]] = {Row: _comparisons, Goal: _goals, Share: _shares}
    found = {kind: [each for each in results if isinstance(each, kind)] for kind in kinds}
    return "\n".join(kinds[kind](rows) for kind, rows in found.items() if rows)


def of_goals(parts: Iterable[tuple[str, Sequence[Row | Goal]]]) -> str:
    """Return a table of everything that has a goal, over all parts, and how many are met."""
    lines = []
    states = []
    for part, results in parts:
        for each in results:
            if each.is_met is None:
                continue
            states.append(each.is_met)
            figure, goal = _bound(each)
            lines.append(
                f"| {part} | {each.work} | {each.against} | **{figure}** | {goal} | "
                f"{_met(each.is_met)} |"
            )
    if not lines:
        return ""
    head = "| part | work | against | figure | goal | met |\n| --- | --- | --- | --: | --: | --- |"
    return "\n".join([f"{sum(states)} of {len(states)} met", "", head, *lines]) + "\n"


def _bound(each: Row | Goal) -> tuple[str, str]:
    """Return figure and goal as they are shown."""
    if isinstance(each, Row):
        return f"{each.ratio:.1f}x", f"at least {each.goal:g}x"
    bound = "at most" if each.is_upper else "at least"
    return f"{_figure(each.value)} {each.unit}", f"{bound} {each.goal:,g} {each.unit}"


def _comparisons(rows: Sequence[Row]) -> str:
    lines = [
        "| work | against | ours | theirs | ratio | goal | met | checked |",
        "| --- | --- | --: | --: | --: | --: | --- | --- |",
    ]
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:g}x"
        lines.append(
            f"| {row.work} | {row.against} | {_shown(row, row.ours)} | {_shown(row, row.theirs)} | "
            f"**{row.ratio:.1f}x** | {goal} | {_met(row.is_met)} | {row.checked} |"
        )
    return "\n".join(lines) + "\n"


def _goals(rows: Sequence[Goal]) -> str:
    lines = [
        "| work | against | figure | goal | met | checked |",
        "| --- | --- | --: | --: | --- | --- |",
    ]
    for row in rows:
        figure, goal = _bound(row)
        lines.append(
            f"| {row.work} | {row.against} | **{figure}** | {goal} | {_met(row.is_met)} | "
            f"{row.checked} |"
        )
    return "\n".join(lines) + "\n"


def _shares(rows: Sequence[Share]) -> str:
    lines = [
        "| work | kind | time | share | most of it |",
        "| --- | --- | --: | --: | --- |",
    ]
    lines += [
        f"| {row.work} | {row.kind} | {1000 * row.seconds:,.1f} ms | **{row.share:.1%}** | "
        f"{row.most} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _met(is_met: bool | None) -> str:
    return "" if is_met is None else "yes" if is_met else "**no**"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _shown(row: Row, timing: Timing) -> str:
    speed = "" if row.amount is None else f", {_figure(row.amount / timing.seconds)} {row.unit}/s"
    return f"{timing.seconds:.2f} s ({timing.low:.2f}-{timing.high:.2f}){speed}"
