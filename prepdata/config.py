"""The settings of `prepdata build`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build, and how to split it."""

    source: tuple[str, ...] = ("dolly", "finqa")
    """A source, or NAME=PATH to read it from a local file or folder; may be repeated."""
    out: Path = Path("data")
    """The folder to write."""
    limit: int | None = None
    """At most so many records per source and split, drawn with the seed (in equal numbers per
    label where the task has labels)."""
    val_fraction: float = 0.05
    """Share of the rows that becomes validation where the source has no such split."""
    test_fraction: float = 0.05
    """Share of the rows that becomes test where the source has no split at all."""
    seed: int = 42
    """Decides the order of the records and what --limit draws; never the split."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if not self.source:
            raise ValueError("no source given; see `prepdata sources`")
        for name in ("val_fraction", "test_fraction"):
            if not 0 <= getattr(self, name) < 1:
                value = getattr(self, name)
                raise ValueError(f"{name} must be at least 0 and under 1, got {value}")
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction and test_fraction leave nothing to train on")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be at least 1, got {self.limit}")
