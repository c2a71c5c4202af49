"""A metric: a function, and what a reader must know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Literal

Task = Literal["text", "labels", "programs", "any"]
Direction = Literal["higher", "lower", "none"]
Unit = Literal["score", "share", "tokens", "words"]
MISSING = {
    "label": "no answer has a scored label",
    "label_probabilities": "no answer has label probabilities",
    "gaps": "no answer has label probabilities",
    "hits": "no answer has a scored label",
    "labels": "no answer is a generated text",
    "length": "no answer is a generated text",
    "reference": "no item has a reference",
    "executed": "no item has a program",
    "finish_reason": "no answer says why it ended (finish_reason)",
}
"""Column -> why a metric that reads it has no value where it is missing."""
COLUMNS = (
    "prediction", "reference", "prompt", "finish_reason", "length", "executed", "decimal_mark",
    "label", "label_probabilities", "labels",
)  # fmt: skip
"""What a metric of one answer may read."""
NOT_READ = "not read: the label was scored, not generated"
"""What metrics of scored labels say of an empty answer."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric: a function of one answer or one set, and what a reader must know of it."""

    title: str
    """The name shown to a reader."""
    function: Callable[..., float | None]
    """Scores one answer; None where it cannot. What it reads are the columns that its parameters
    are named after: `prediction`, `reference` (each of several in turn; the best value counts),
    `prompt`, `finish_reason`, `length`, `executed`, `decimal_mark`, `label`,
    `label_probabilities`, `labels`. A metric of sets reads `hits`, `predicted`, `actual`, `gaps`,
    `doubts` and `count` instead, see `metrics.label_sets`."""
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
    least: int = 0
    """The least value that it may have."""
    unread: str = ""
    """Why there is no value at all where it can read none of the references; empty for a metric
    that can read any."""
    task: Task = "text"
    """Whether it judges free texts, labels of a fixed set, texts whose right answer a program
    gives, or all of them."""

    @property
    def is_count(self) -> bool:
        """Whether its values are numbers of tokens or words, which have no greatest one."""
        return self.unit in ("tokens", "words")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that it may have."""
        return (0.0, inf) if self.is_count else (float(self.least), 1.0)

    @property
    def difference_bounds(self) -> tuple[float, float]:
        """The least and the greatest difference of two values."""
        low, high = self.bounds
        return (low - high, high - low)

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The columns it must have of an item and its answer, in the order of its parameters."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.default is p.empty)

    @cached_property
    def takes(self) -> tuple[str, ...]:
        """The columns it reads where they are known: its parameters that have a default."""
        return tuple(p for p in inspect.signature(self.function).parameters if p not in self.needs)

    def value(self, columns: Mapping[str, Any]) -> float | None:
        """Return the value for one answer, or None where it has none.

        Of several references the best counts, the rule of SQuAD (Rajpurkar et al., 2016).

        Args:
            columns: What is known of the item and its answer; None where a column is not, and for
                `reference` a tuple of all right answers.
        """
        inputs = {name: columns[name] for name in (*self.needs, *self.takes) if name in columns}
        if any(inputs[name] is None for name in self.needs):
            return None
        if "reference" not in inputs:
            return self.function(**inputs)
        scored = (self.function(**{**inputs, "reference": one}) for one in inputs["reference"])
        best = min if self.direction == "lower" else max
        return best((value for value in scored if value is not None), default=None)

    @property
    def sign(self) -> int:
        """-1 where lower is better, else 1."""
        return -1 if self.direction == "lower" else 1

    @property
    def range(self) -> str:
        """The values it may have, as a reader sees them."""
        if self.is_count:
            return "from 0"
        return "0 to 100 %" if self.unit == "share" else f"{self.least} to 1"

    @property
    def missing(self) -> tuple[str, ...]:
        """Why there may be no value: what it reads is missing, or it cannot read it."""
        reasons = (MISSING[column] for column in self.needs if column in MISSING)
        return tuple(filter(None, dict.fromkeys((*reasons, self.unread))))

    @property
    def is_of_a_set(self) -> bool:
        """Whether it has no value for one answer, only for a set of them."""
        return bool({"count", "hits"} & set(self.needs))
