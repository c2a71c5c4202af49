"""A metric: a function, and what a reader must know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Task = Literal["text", "labels", "programs", "any"]
Direction = Literal["higher", "lower", "none"]
Unit = Literal["score", "share", "tokens", "words"]
NOT_READ = "not read: the label was scored, not generated"
"""What metrics of scored labels say of an empty answer."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric: a function of one answer or one set, and what a reader must know of it."""

    title: str
    """The name shown to a reader."""
    function: Callable[..., float | None]
    """Scores one answer; None where it cannot. What it reads are the columns that its parameters
    are named after: `prediction`, `reference`, `prompt`, `finish_reason`, `length`, `executed`,
    `label`, `label_probabilities`, `labels`. A metric of sets reads `hits`, `predicted`, `actual`,
    `gaps`, `doubts` and `count` instead, see `metrics.label_sets`."""
    direction: Direction
    """Which way is better."""
    unit: Unit
    """``score`` (0 to 1), ``share`` (of answers or parts, shown in percent) or a length."""
    definition: str
    """One sentence."""
    source: str
    """The paper it comes from."""
    weakness: str
    """What it gets wrong."""
    empty: str = "0"
    """What an empty answer scores."""
    numeric: bool = False
    """Whether only references that are numbers are scored."""
    task: Task = "text"
    """Whether it judges free texts, labels of a fixed set, texts whose right answer a program
    gives, or all of them."""

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The columns it reads of an item and its answer, in the order of its parameters."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def is_of_a_set(self) -> bool:
        """Whether it has no value for one answer, only for a set of them."""
        return bool({"count", "hits"} & set(self.needs))
