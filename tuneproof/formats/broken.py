"""What a tuning broke: the figures that `score report --regressions` puts into report.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL = "all"
"""The name of the figures over the items of all kinds."""


@dataclass(frozen=True, kw_only=True)
class KindFigure:
    """How a tuned variant does on one kind of general items, or on all, against the base."""

    n: int
    """Items of the kind."""
    base: float
    """Mean score of the base, from 0 to 1."""
    tuned: float
    """Mean score of the variant."""
    change: float
    """The variant minus the base."""
    low: float | None
    """Lower end of the interval of the change; null with a single item."""
    high: float | None
    """Upper end of it."""
    one_sided_low: float | None
    """What the change is above, by a one-sided test at alpha."""
    error: float
    """Standard error of the change."""
    differing: int
    """Items whose two scores differ."""
    p_corrected: float
    """p-value of a one-sided test for a loss; of kinds, corrected for all kinds (Holm)."""
    broken: bool
    """Whether a loss is shown."""
    not_worse: bool
    """Whether it is shown that no more than the margin was lost."""
    would_show: float
    """The smallest loss that 80 % of such samples would have shown."""
    items_needed: int | None
    """Items with which no loss at all would be shown to be under the margin, in 80 % of samples;
    null where the spread is not known."""
    bits_per_byte: Mapping[str, float] = field(default_factory=dict, metadata={"omit": True})
    """Of texts, by variant."""


@dataclass(frozen=True, kw_only=True)
class LostItem:
    """An item that the base has right and the tuned variant has not."""

    id: str
    """Its id."""
    kind: str
    """What it is of."""
    asked: str
    """The prompt and its input, or the text that was read."""
    right: str
    """What makes an answer right, in words."""
    base: str
    """What the base made of it."""
    tuned: str
    """What the tuned variant made of it."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What became of general items in one tuned variant."""

    sentence: str
    """The verdict, as it goes on after the headline."""
    kinds: Mapping[str, KindFigure]
    """By kind; `all` first."""
    lost: tuple[LostItem, ...]
    """Some of the items that the base has right and the variant has not, of all kinds in turn."""
    lost_items: int
    """How many such items there are."""

    @property
    def broken(self) -> tuple[str, ...]:
        """The kinds of which a loss is shown, the largest first; `all` is not among them."""
        named = [kind for kind, one in self.kinds.items() if one.broken and kind != ALL]
        return tuple(sorted(named, key=lambda kind: self.kinds[kind].change))

    @property
    def breaks_any(self) -> bool:
        """Whether any loss is shown."""
        return any(one.broken for one in self.kinds.values())


@dataclass(frozen=True, kw_only=True)
class Broken:
    """What became of general items in every tuned variant."""

    base: str
    """The variant that all are measured against, asked in its own template."""
    margin: float
    """The loss that is too small to matter."""
    confidence: float
    """1 - alpha of the tests."""
    variants: Mapping[str, Losses]
    """By tuned variant."""
