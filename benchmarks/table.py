"""What a benchmark found, as Markdown and JSON with the machine and the versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Timing
from core.files import read_json, write_json, write_text
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


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure beside the goal that it must meet."""

    work: str
    """What was done."""
    against: str
    """What is measured, or against what."""
    value: float
    goal: float
    unit: str
    """Of figure and goal."""
    is_upper: bool
    """Whether the goal is the most (or the least) that the figure may be."""
    checked: str
    """How it was made sure that the work was done, and further figures."""

    @classmethod
    def at_most(cls, **named: Any) -> Goal:
        """Return a figure that must not be above the goal."""
        return cls(is_upper=True, **named)

    @classmethod
    def at_least(cls, **named: Any) -> Goal:
        """Return a figure that must not be below the goal."""
        return cls(is_upper=False, **named)

    @property
    def is_met(self) -> bool:
        """Whether the figure meets the goal."""
        return self.value <= self.goal if self.is_upper else self.value >= self.goal


def markdown(rows: Sequence[Row | Goal]) -> str:
    """Return the rows as Markdown: a table of comparisons and one of goals, as far as there are."""
    comparisons = [row for row in rows if isinstance(row, Row)]
    goals = [row for row in rows if isinstance(row, Goal)]
    tables = [_comparisons(comparisons)] if comparisons else []
    tables += [_goals(goals)] if goals else []
    return "\n".join(tables)


def _comparisons(rows: Sequence[Row]) -> str:
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


def _goals(rows: Sequence[Goal]) -> str:
    lines = [
        "| work | against | figure | goal | met | checked |",
        "| --- | --- | --: | --: | --- | --- |",
    ]
    for row in rows:
        bound = "at most" if row.is_upper else "at least"
        lines.append(
            f"| {row.work} | {row.against} | **{_figure(row.value)} {row.unit}** | {bound} "
            f"{row.goal:,g} {row.unit} | {'yes' if row.is_met else 'no'} | {row.checked} |"
        )
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(part: str, rows: Sequence[Row | Goal], out: Path) -> None:
    """Write PART.json, and benchmarks.md of all the parts that stand in the folder."""
    cores = os.cpu_count() or 1
    machine = {
        "processor": _processor(),
        "cores": cores,
        "threads": int(os.environ.get("OMP_NUM_THREADS", cores)),
        "system": f"{platform.system()} {platform.machine()}",
    }
    listed = [asdict(row) | {"ratio": row.ratio} for row in rows if isinstance(row, Row)]
    goals = [asdict(row) | {"is_met": row.is_met} for row in rows if isinstance(row, Goal)]
    facts = {
        "machine": machine,
        "versions": versions_of(PACKAGES),
        "rows": listed,
        "goals": goals,
        "table": markdown(rows),
    }
    write_json(out / f"{part}.json", facts)
    pages = [_page(path) for path in sorted(out.glob("*.json"))]
    write_text(out / "benchmarks.md", "\n".join(pages))


def _page(path: Path) -> str:
    facts = read_json(path)
    machine, versions = facts["machine"], facts["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores"
    return f"## {path.stem}\n\n{where}; {named}\n\n{facts['table']}"


def _shown(timing: Timing) -> str:
    return f"{timing.seconds:.2f} s ({timing.low:.2f}-{timing.high:.2f})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
