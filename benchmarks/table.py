"""What a benchmark found, as Markdown and JSON with the machine and the versions."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Timing
from core.files import write_json, write_text
from core.versions import versions_of

PACKAGES = ("tuneproof", "torch", "transformers", "peft", "trl", "lm_eval")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison of this project with something else."""

    work: str
    """What was done."""
    against: str
    """By whom else."""
    ours: Timing
    theirs: Timing
    checked: str
    """How it was made sure, in the same run, that both did the same."""
    goal: float | None = None
    """The ratio aimed at."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further figures."""

    @property
    def ratio(self) -> float:
        """How many times faster this project is."""
        return self.theirs.seconds / self.ours.seconds


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| work | against | ours | theirs | ratio | goal | checked |",
        "| --- | --- | --: | --: | --: | --: | --- |",
    ]
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:g}x"
        more = "".join(f"; {name} {value}" for name, value in row.more.items())
        lines.append(
            f"| {row.work} | {row.against} | {_shown(row.ours)} | {_shown(row.theirs)} | "
            f"**{row.ratio:.1f}x** | {goal} | {row.checked}{more} |"
        )
    return "\n".join(lines) + "\n"


def write(rows: list[Row], out: Path) -> None:
    """Write benchmarks.md and benchmarks.json."""
    machine = {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()}
    versions = versions_of(PACKAGES)
    head = f"{machine['processor']}, {machine['cores']} cores; " + ", ".join(
        f"{name} {version}" for name, version in versions.items()
    )
    write_text(out / "benchmarks.md", f"{head}\n\n{markdown(rows)}")
    listed = [asdict(row) | {"ratio": row.ratio} for row in rows]
    write_json(out / "benchmarks.json", {"machine": machine, "versions": versions, "rows": listed})


def _shown(timing: Timing) -> str:
    return f"{timing.seconds:.2f} s ({timing.low:.2f}-{timing.high:.2f})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
