"""What a benchmark finds: comparisons, figures that have a goal, shares of a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.timing import Timing


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
    """The least ratio aimed at."""
    amount: float | None = None
    """How much useful work both did, such as tokens that are no padding."""
    unit: str = ""
    """Of the amount."""

    @property
    def ratio(self) -> float:
        """How many times faster this project is."""
        return self.theirs.seconds / self.ours.seconds

    @property
    def is_met(self) -> bool | None:
        """Whether the ratio meets the goal; None where there is none."""
        return None if self.goal is None else self.ratio >= self.goal


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


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one kind of operation takes of a training step."""

    work: str
    """What was done."""
    kind: str
    """Of operation."""
    seconds: float
    """In a step."""
    share: float
    """Of the step, in [0, 1]."""
    most: str
    """The operations of this kind that take the most, each with its share of the step."""


Result = Row | Goal | Share
