"""The settings of `prepdata build`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.options import check_least_one


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build, and how to split it."""

    source: tuple[str, ...] = ("dolly", "finqa")
    """A source, NAME=PATH to read it from a local file or folder, or any data set of the Hub by
    hub:OWNER/NAME[:CONFIG][@SPLIT]; may be repeated. See `prepdata sources`."""
    out: Path = Path("data")
    """The folder to write."""
    limit: int | None = None
    """At most so many records per source and split, drawn with the seed (in equal numbers per
    label where the task has labels)."""
    test_limit: int | None = None
    """The same for validation and test, where they should hold fewer (or more) than train."""
    balanced: bool = False
    """Classification: draw the same number of every label, in every split."""
    allow_fewer: bool = False
    """With --balanced: go on where a label has fewer records than the limit asks for."""
    where: tuple[str, ...] = ()
    """FIELD=VALUE: keep the rows whose upstream field is the value, whatever its case; * stands for
    any text. May be repeated: any of the values of one field, all of several fields."""
    duplicates: Literal["near", "exact", "off", "keep"] = "near"
    """Which repeats train loses: near (and exact) ones, exact ones only, off: none but what a
    held-out split asks too, or keep: none at all, to repeat a published figure on a split that
    leaks; what leaks is counted."""
    near_threshold: float = 0.8
    """Near-duplicates have at least this share of their five-character pieces in common, from 0.6,
    and the same figures, names and answer."""
    val_fraction: float = 0.05
    """Share of the rows that becomes validation where the source has no such split; a source's
    only held-out split becomes test, whatever it is called."""
    test_fraction: float | None = None
    """Share of the rows that becomes test where the source has no split at all; by default 0.05,
    0.1 or 0.2, the least that gives 100 groups, so that 10 percentage points can be seen."""
    seed: int = 42
    """Decides the order of the records and what --limit draws; never the split."""
    mix: tuple[str, ...] = ()
    """regressions=SHARE: let this share of train be general rows, which come with the package, so
    that the model forgets less of what it could do before."""
    instruction_field: str = "instruction"
    """Sources csv, jsonl and hub: the field that asks."""
    input_field: str = "input"
    """Sources csv, jsonl and hub: the field with the context it is asked about."""
    output_field: str = "output"
    """Sources csv, jsonl and hub: the field with the right answer."""
    text_field: str | None = None
    """Sources csv, jsonl and hub, for classification: the field with the text."""
    label_field: str | None = None
    """Sources csv, jsonl and hub, for classification: the field with the label."""
    instruction: str | None = None
    """What is asked about every text of a classification; by default "What is the LABEL-FIELD of
    this text?"."""
    group_field: str = "group"
    """Sources csv, jsonl and hub: rows with the same value here stay in one split. Without such a
    field the rows with the same input of 200 characters or more stay together."""
    id_field: str = "id"
    """Sources csv, jsonl and hub: the field with the row's id; without it the content makes the
    id."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if not self.source:
            raise ValueError("no source given; see `prepdata sources`")
        for name in ("val_fraction", "test_fraction"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and under 1, got {value}")
        if self.val_fraction + (self.test_fraction or 0) >= 1:
            raise ValueError("val_fraction and test_fraction leave nothing to train on")
        if not 0.6 <= self.near_threshold <= 1:  # below, the index finds too few of the pairs
            raise ValueError(f"near_threshold must be from 0.6 to 1, got {self.near_threshold}")
        check_least_one(self, "limit", "test_limit")
        for text in self.where:
            field, _, value = text.partition("=")
            if not field.strip() or not value.strip():
                raise ValueError(f"where needs FIELD=VALUE, as in company=Acme, got {text!r}")
        _ = self.mixed_share
        if self.allow_fewer and not self.balanced:
            raise ValueError("allow_fewer is for balanced; give both")
        if (self.text_field is None) != (self.label_field is None):
            raise ValueError("text_field and label_field go together; only one was given")
        if self.instruction is not None and self.label_field is None:
            raise ValueError(
                "instruction is for classification; it needs text_field and label_field"
            )
        if self.instruction is not None and not self.instruction.strip():
            raise ValueError("instruction is empty")

    def as_json(self) -> dict[str, Any]:
        """Return the settings as manifest.json holds them."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return value

    @property
    def mixed_share(self) -> float:
        """The share of train that is to be general rows; 0 where none is asked for."""
        if len(self.mix) > 1:
            raise ValueError(f"mix is given twice: {', '.join(self.mix)}")
        if not self.mix:
            return 0.0
        name, sign, text = self.mix[0].partition("=")
        try:
            share = float(text)
        except ValueError:
            share = 0.0
        if name != "regressions" or not sign or not 0 < share < 1:
            raise ValueError(
                f"mix must be regressions=SHARE with a share over 0 and under 1, such as "
                f"regressions=0.1, got {self.mix[0]!r}"
            )
        return share

    def limit_of(self, split: str | None) -> int | None:
        """Return the most records a source may have in a split."""
        return self.limit if split == "train" else self.test_limit or self.limit

    @property
    def has_own_fields(self) -> bool:
        """Whether any of the settings for the sources csv, jsonl and hub was changed."""
        names = ("instruction", "text_field", "label_field", *OWN_FIELDS)
        return any(getattr(self, name) != getattr(type(self), name) for name in names)


OWN_FIELDS = ("instruction_field", "input_field", "output_field", "group_field", "id_field")
