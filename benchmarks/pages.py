"""The files of results: JSON for each part, with machine and versions, and a page of them all."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from benchmarks.results import Goal, Result, Row, Share
from benchmarks.table import markdown, of_goals
from benchmarks.timing import Timing
from tuneproof.files import read_json, write_json, write_text
from tuneproof.versions import versions_of

LIMITS = {
    "decoding": "Products in float32 and attention, where every row reads its own keys and values, "
    "take most of the time, and Python's overhead more the fewer rows there are (part "
    "decoding_profile). More would need weights and cache of two bytes a number, for both sides, "
    "or fewer operations a step.",
    "memory": "Beside the weights, a batch keeps the keys and values of all its rows; a smaller "
    "`--batch-size` keeps fewer at a time, and takes longer.",
    "training": "In a step on instruction rows more than half of the time goes to matrix products "
    "and a quarter to attention (part profile). Faster steps would need a last layer that computes "
    "only what is trained on, or kernels that do several operations in one.",
    "prepdata": "The look-up of near-duplicates takes longer a row the more rows there are, and so "
    "does all else a little, as tables outgrow the processor's cache. Splitting them by hash and "
    "working through one after the other would help.",
}
"""What bounds the figures of a part, said where one of its goals is missed."""
PACKAGES = ("tuneproof", "torch", "transformers", "peft", "trl", "lm_eval")


def write(
    part: str, results: Sequence[Result], out: Path, took: Mapping[str, float] | None = None
) -> None:
    """Write PART.json, and benchmarks.md of all the parts that stand in the folder.

    Args:
        part: Its name.
        results: What it found.
        out: The folder.
        took: `seconds` and `cpu_seconds` of the whole part.
    """
    rows = [each for each in results if isinstance(each, Row)]
    goals = [each for each in results if isinstance(each, Goal)]
    facts = {
        "machine": _machine(),
        "versions": versions_of(PACKAGES),
        "rows": [asdict(row) | {"ratio": row.ratio, "is_met": row.is_met} for row in rows],
        "goals": [asdict(goal) | {"is_met": goal.is_met} for goal in goals],
        "shares": [asdict(each) for each in results if isinstance(each, Share)],
        "took": took,
        "table": markdown(results),
    }
    write_json(out / f"{part}.json", facts)
    write_page(out)


def write_page(out: Path) -> None:
    """Write benchmarks.md of all the parts that stand in a folder."""
    parts = {path.stem: read_json(path) for path in sorted(out.glob("*.json"))}
    summary = of_goals((name, _with_goals(found)) for name, found in parts.items())
    limits = [
        f"{name}: {LIMITS[name]}\n"
        for name, found in parts.items()
        if name in LIMITS and any(each.is_met is False for each in _with_goals(found))
    ]
    pages = ["\n".join([f"## goals\n\n{summary}", *limits])] if summary else []
    pages += [_page(name, found) for name, found in parts.items()]
    write_text(out / "benchmarks.md", "\n".join(pages))


def _with_goals(facts: dict[str, Any]) -> list[Row | Goal]:
    """Return the results of a part's file that may have a goal."""
    rows = [
        Row(**_known(Row, row) | {side: Timing(**row[side]) for side in ("ours", "theirs")})
        for row in facts["rows"]
    ]
    return [*rows, *(Goal(**_known(Goal, goal)) for goal in facts["goals"])]


def _known(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in found.items() if name in names}


def _page(part: str, facts: dict[str, Any]) -> str:
    machine, versions = facts["machine"], facts["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores"
    took = facts.get("took")
    minutes = (
        f"; the whole part took {took['seconds'] / 60:.1f} minutes, {took['cpu_seconds'] / 60:.1f} "
        "of a processor"
        if took
        else ""
    )
    return f"## {part}\n\n{where}; {named}{minutes}\n\n{facts['table']}"


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
