"""The settings of `tune push`, and what a model card says beside its run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+|[\w.-]+")
"""OWNER/NAME, or the name of one of the oldest models."""
REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card says that no run.json does."""

    base_model: str | None = None
    """The base's id on the Hub; by default that which the base was loaded from."""
    license: str | None = None
    """The licence of the weights, by the Hub's name; by default that of the base's own card."""
    language: tuple[str, ...] = ()
    """Languages, by their ISO 639 codes."""
    report: Path | None = None
    """The folder of a report whose figures the card has."""
    report_link: str | None = None
    """Where the report's page lies."""

    def __post_init__(self) -> None:
        """Reject an id that is a path."""
        if self.base_model is not None and not HUB_ID.fullmatch(self.base_model):
            raise ValueError(f"base_model must be an id on the Hub, got {self.base_model!r}")


@dataclass(frozen=True, kw_only=True)
class PushConfig(CardFacts):
    """What is uploaded, and where to."""

    repo: str
    """OWNER/NAME of the repository; it is made where it does not exist."""
    merged: bool = False
    """Upload base and adapter as one model, instead of the adapter alone."""
    public: bool = False
    """Make the repository public; by default it is private."""
    include_report: bool = False
    """Upload the page of --report too; it shows the prompts, all answers, and paths."""
    dry_run: bool = False
    """List what would be uploaded, and upload nothing."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        super().__post_init__()
        if not REPO.fullmatch(self.repo):
            raise ValueError(f"repo must be OWNER/NAME, got {self.repo!r}")
        if self.include_report and self.report is None:
            raise ValueError("include_report needs --report, the folder of a report")
