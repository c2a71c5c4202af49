"""What a report is made from: the items, the variants that answered them, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one variant said to one prompt."""

    text: str | None
    """The generated text, without the prompt and the end mark; None where a variant only scores
    labels, as a baseline or a classification head does."""
    tokens: int | None = None
    """Generated tokens; None where the file does not say."""
    finish_reason: str | None = None
    """``eos`` (the model stopped), ``length`` (the limit cut it) or None (not recorded)."""
    label: str | None = None
    """The label scored as most probable; None where labels were not scored."""
    label_probabilities: Mapping[str, float] | None = None
    """Probability of every label, in the order of the label set."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One prompt with every variant's answer."""

    id: str
    task: str
    prompt: str
    input: str = ""
    reference: str | None = None
    """The expected answer; None where there is none (a blank text counts as none)."""
    executed: str | None = None
    """What the source's own program comes to: a number, ``yes`` or ``no``; None without one."""
    group: str | None = None
    """Items of one group, such as one document, are resampled together."""
    truncated: bool = False
    """Whether the input was shortened to fit the model."""
    answers: Mapping[str, Answer]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model that was asked."""

    name: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else the file says of it: model, adapter, ..."""

    @property
    def is_baseline(self) -> bool:
        """Whether it is a classical baseline and no language model."""
        return self.details.get("kind") == "baseline"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything a report is made from."""

    sources: tuple[Path, ...]
    variants: tuple[Variant, ...]
    items: tuple[Item, ...]
    decoding: Mapping[str, Any] | None = None
    template: str | None = None
    labels: tuple[str, ...] | None = None
    """The label set of a classification; then every reference is one of them."""

    @property
    def has_programs(self) -> bool:
        """Whether any item has the executed answer of a program."""
        return any(item.executed is not None for item in self.items)

    @property
    def base(self) -> str:
        """The variant the others are measured against: `base`, otherwise the first model.

        Where there are only trained classification heads, it is the majority class: no head is of
        use before it is trained.
        """
        heads = {each.name for each in self.variants if each.details.get("kind") == "head"}
        if "majority" in self.baselines and set(self.names) == heads | set(self.baselines):
            return "majority"
        names = self.names
        return next((n for n in names if n == "base" or n not in self.baselines), names[0])

    @property
    def names(self) -> list[str]:
        """The variants in reading order: the base first, the others as in the file."""
        listed = [variant.name for variant in self.variants]
        return sorted(listed, key=lambda name: name != "base")

    @property
    def tuned(self) -> list[str]:
        """The variants that are measured against the base."""
        return [name for name in self.names if name not in (self.base, *self.baselines)]

    @property
    def baselines(self) -> list[str]:
        """The classical baselines that the tuned variants should beat."""
        return [variant.name for variant in self.variants if variant.is_baseline]
