"""What a report is made from: the items, the variants that answered them, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one variant said to one prompt."""

    text: str
    """The generated text, without the prompt and the end mark."""
    tokens: int | None = None
    """Generated tokens; None where the file does not say."""
    finish_reason: str | None = None
    """``eos`` (the model stopped), ``length`` (the limit cut it) or None (not recorded)."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One prompt with every variant's answer."""

    id: str
    task: str
    prompt: str
    input: str = ""
    reference: str | None = None
    """The expected answer; None where there is none (a blank text counts as none)."""
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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything a report is made from."""

    sources: tuple[Path, ...]
    variants: tuple[Variant, ...]
    items: tuple[Item, ...]
    decoding: Mapping[str, Any] | None = None
    template: str | None = None

    @property
    def base(self) -> str:
        """The variant the others are measured against: `base`, otherwise the first."""
        names = self.names
        return "base" if "base" in names else names[0]

    @property
    def names(self) -> list[str]:
        """The variants in reading order: the base first, the others as in the file."""
        listed = [variant.name for variant in self.variants]
        return sorted(listed, key=lambda name: name != "base")

    @property
    def tuned(self) -> list[str]:
        """The variants that are measured against the base."""
        return [name for name in self.names if name != self.base]
