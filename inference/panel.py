"""What answers together, and what an answer costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuneproof import ranks
from tuneproof.formats.example import Example
from tuneproof.inference.decode import Stopwatch

Rows = dict[str, dict[str, Any]]
"""The answers to one prompt, by variant, as the comparison file holds them."""


@dataclass
class Speed:
    """Counts what variants generate, and how long it takes, since this process began."""

    watch: Stopwatch = field(default_factory=Stopwatch)
    """The time each variant took so far."""
    tokens: Counter[str] = field(default_factory=Counter)
    """Tokens generated so far, by variant."""

    def of_all(self) -> Speed:
        """Return the sum over all processes: per second of one of them."""
        whole = Speed()
        for one in ranks.gathered(self):
            for name, seconds in one.watch.seconds.items():
                whole.watch.seconds[name] += seconds
            for name, seconds in one.watch.step_seconds.items():
                whole.watch.step_seconds[name] += seconds
            whole.watch.step_tokens.update(one.watch.step_tokens)
            whole.tokens.update(one.tokens)
        return whole

    def of(self, name: str) -> dict[str, float | None]:
        """Return a variant's speed as the comparison file holds it; None: nothing was asked."""
        seconds = self.watch.seconds.get(name)
        if not seconds:
            return {"tokens_per_second": None}
        steps = self.watch.step_seconds.get(name)
        rate = self.watch.step_tokens[name] / steps if steps else self.tokens[name] / seconds
        return {"tokens_per_second": round(rate, 1)}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The prompts of some variants, as tokens."""

    ids: Mapping[str, Mapping[str, Sequence[int]]]
    """Token ids by the item's id and the variant; an item that is too long for any of them is left
    out."""
    shots: Mapping[str, Mapping[str, Sequence[str]]]
    """Ids of the examples that stand before a question, by item and by those variants that have
    any."""
    too_long: Mapping[str, tuple[str, ...]]
    """The variants that an item is too long for, by its id."""
    shortened: frozenset[str]
    """Ids of the items whose input is shortened to fit for any variant."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Variants that answer together."""

    variants: list[dict[str, Any]]
    """One entry per variant, as the comparison file records it; its speed comes last."""
    answer: Callable[[Sequence[Example], int], list[Rows]]
    """Answers a batch of prompts; the number is the seed, for sampling."""
    asked: Asked | None = None
    """The prompts as tokens; None where nothing is generated."""
    speed: Speed | None = None
    """Speed of generating; None where nothing is generated."""
    prompts_at_once: Callable[[], int | None] = lambda: None
    """Makes ready to answer, and returns how many prompts a GPU answers at once; None: no more
    than a CPU."""

    @property
    def names(self) -> list[str]:
        """The variants' names."""
        return [row["name"] for row in self.variants]

    def of_all(self) -> Panel:
        """Return the panel with the speed that all processes had together."""
        return self if self.speed is None else replace(self, speed=self.speed.of_all())

    def described(self, items: Sequence[Example]) -> list[dict[str, Any]]:
        """Return the variants as the comparison file records them, with what they cost so far.

        Args:
            items: What was answered.
        """
        if self.asked is None or self.speed is None:
            return self.variants
        prompts = [self.asked.ids[item.id] for item in items]
        return [
            row
            | {"prompt_tokens": _mean([len(by[row["name"]]) for by in prompts])}
            | self.speed.of(row["name"])
            for row in self.variants
        ]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 1)
