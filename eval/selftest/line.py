"""One line of the self-test's table, and when a promise counts as broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from tuneproof.text import table

ALPHA, CONFIDENCE = 0.05, 0.95
Promise = Literal["false verdict", "coverage", "power", "primary first", "win rate"]
BOUNDS: dict[Promise, tuple[float, float]] = {
    "false verdict": (0.0, ALPHA),
    "coverage": (0.93, 0.97),
    "power": (0.7, 0.9),
    "primary first": (0.0, 1.0),
    "win rate": (0.93, 0.97),
}
"""Between which shares a promise is kept; ``primary first`` is there to be compared with max-T, and
``win rate`` is the coverage of rates by votes, whose number is `n`."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table: a promise, what was found, and whether that keeps it."""

    promise: Promise
    case: str
    n: int
    """Items of a report, or votes."""
    found: float
    """The share found, 0 to 1."""
    simulations: int
    warned: float = 0.0
    """Share of the reports that warn of too few items that differ."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which shares the promise is kept."""
        return BOUNDS[self.promise]

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
        if self.promise in ("coverage", "win rate") and self.found > high:
            return "wide"
        if self.promise != "false verdict" and self.found < low and self.warned >= 0.5:
            return "warned"
        is_near = low - 3 * self.error <= self.found <= high + 3 * self.error
        return "near" if is_near else "FAILED"


def line_table(lines: Iterable[Line]) -> str:
    """Return the lines as a plain table."""
    rows = [("promise", "n", "case", "found", "promised", "reports", "warned", "")]
    rows += [
        (
            line.promise,
            f"{line.n:,}",
            line.case,
            f"{100 * line.found:.1f} %",
            _promised(line),
            f"{line.simulations:,}",
            f"{100 * line.warned:.0f} %" if line.warned else "",
            line.verdict,
        )
        for line in lines
    ]
    return table(rows, left=(0, 2, 7))


def overview(lines: Sequence[Line]) -> str:
    """Return one row per promise and size: the lowest and the highest share found, and verdicts."""
    rows = [("promise", "n", "lines", "lowest", "highest", "promised", "verdicts")]
    for promise, n in dict.fromkeys((line.promise, line.n) for line in lines):
        chosen = [line for line in lines if (line.promise, line.n) == (promise, n)]
        shares = [line.found for line in chosen]
        verdicts = Counter(line.verdict for line in chosen)
        rows.append(
            (
                promise,
                f"{n:,}",
                str(len(chosen)),
                f"{100 * min(shares):.1f} %",
                f"{100 * max(shares):.1f} %",
                _promised(chosen[0]),
                ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()),
            )
        )
    return table(rows, left=(0, 6))


def _promised(line: Line) -> str:
    low, high = line.bounds
    return f"{100 * low:g}-{100 * high:g} %"
