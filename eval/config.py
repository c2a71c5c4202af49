"""The settings of `score report`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """How sure a report has to be, and how it finds out."""

    seed: int = 0
    """Seed of the resampling; the same seed gives the same report."""
    resamples: int = 10_000
    """Bootstrap resamples of the items, behind every interval; and random swaps behind p-values."""
    confidence: float = 0.95
    """Confidence of the intervals, and of the verdicts drawn from them."""
    primary: str | None = None
    """The metric that decides, tested first: name it before the answers are there.  [default: by
    task]"""
    margin: float | None = None
    """Difference in the primary metric that is too small to matter, such as 0.02: two variants that
    differ by less are called the same."""
    metric: tuple[str, ...] = ()
    """A further metric: json, json:SCHEMA.json, regex:PATTERN, contains, contains:TEXT,
    max-length:N, language:CODE, code, code:reference, or a function of your own as FILE.py:NAME;
    NAME=... gives it a name; may be repeated."""

    @property
    def draws(self) -> int:
        """Random swaps behind a p-value: enough that a corrected one can still be small."""
        return max(self.resamples, round(100 / (1 - self.confidence)))

    def __post_init__(self) -> None:
        """Reject what cannot give an interval."""
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")
        if self.resamples < 100:
            raise ValueError(f"resamples must be 100 or more, got {self.resamples}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(
                f"confidence must be at least 0.5 and below 1, got {self.confidence}; "
                "type 0.95 for 95 %"
            )
        if self.margin is not None and self.margin <= 0:
            raise ValueError(f"margin must be above 0, got {self.margin}")
