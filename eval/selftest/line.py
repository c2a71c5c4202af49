"""One line of the self-test's table, and when a promise counts as broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

ALPHA, CONFIDENCE = 0.05, 0.95
POWER_BOUNDS = (0.7, 0.9)
COVERAGE_BOUNDS = (0.93, 0.97)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table: a promise, what was found, and whether that keeps it."""

    promise: str
    case: str
    n: int
    found: float
    """The share found, 0 to 1."""
    bounds: tuple[float, float]
    simulations: int
    warned: float = 0.0
    """Share of the reports that warn of too few items that differ."""

    @property
    def error(self) -> float:
        """Standard error that the number of simulations leaves at the nearer bound."""
        nearest = min(max(self.found, self.bounds[0]), self.bounds[1])
        return sqrt(max(nearest * (1 - nearest), 1e-4) / self.simulations)

    @property
    def verdict(self) -> str:
        """``ok``, ``wide``, ``warned``, ``near`` or ``FAILED``.

        ``wide`` is safe: intervals hold the truth more often than promised. ``warned`` holds less
        than promised, but at least half of the reports themselves say that too few items differ.
        ``near`` is outside the bounds by no more than three standard errors.
        """
        low, high = self.bounds
        if low <= self.found <= high:
            return "ok"
        if self.promise == "coverage" and self.found > high:
            return "wide"
        if self.promise != "false verdict" and self.found < low and self.warned >= 0.5:
            return "warned"
        is_near = low - 3 * self.error <= self.found <= high + 3 * self.error
        return "near" if is_near else "FAILED"


def table(lines: Iterable[Line]) -> str:
    """Return the lines as a plain table with aligned columns."""
    rows = [("promise", "n", "case", "found", "promised", "reports", "warned", "")]
    for line in lines:
        low, high = (f"{100 * bound:g}" for bound in line.bounds)
        rows.append(
            (
                line.promise,
                f"{line.n:,}",
                line.case,
                f"{100 * line.found:.1f} %",
                f"{low}-{high} %",
                f"{line.simulations:,}",
                f"{100 * line.warned:.0f} %" if line.warned else "",
                line.verdict,
            )
        )
    return _aligned(rows, left=(0, 2, 7))


def overview(lines: Sequence[Line]) -> str:
    """Return one row per promise and size: the lowest and the highest share found, and verdicts."""
    rows = [("promise", "n", "lines", "lowest", "highest", "promised", "verdicts")]
    for promise, n in dict.fromkeys((line.promise, line.n) for line in lines):
        chosen = [line for line in lines if (line.promise, line.n) == (promise, n)]
        found = [line.found for line in chosen]
        verdicts = Counter(line.verdict for line in chosen)
        low, high = (f"{100 * bound:g}" for bound in chosen[0].bounds)
        rows.append(
            (
                promise,
                f"{n:,}",
                str(len(chosen)),
                f"{100 * min(found):.1f} %",
                f"{100 * max(found):.1f} %",
                f"{low}-{high} %",
                ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()),
            )
        )
    return _aligned(rows, left=(0, 6))


def _aligned(rows: Sequence[tuple[str, ...]], left: tuple[int, ...]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
