"""Figures that others have published, to stand beside ours; they are shown, and never tested."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.options import from_mapping, read_yaml

REMARK = (
    "As their authors report them, of the model that is named; data cuts and code are not ours."
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """One figure."""

    variant: str
    """The variant of ours that it is to stand beside."""
    metric: str
    """One of our metrics."""
    value: float
    """A share or a score is a part of 1."""
    model: str
    """The base model that it is of."""
    source: str
    """Where it stands, and what else must be known of it."""

    def __post_init__(self) -> None:
        """Reject what cannot be a value of the metric."""
        if self.metric not in METRICS:
            raise unknown("metric", self.metric, METRICS)
        most = math.inf if METRICS[self.metric].unit == "tokens" else 1.0
        if not -1 <= self.value <= most:
            raise ValueError(f"value {self.value:g} of {self.metric} is a part of 1, as in 0.83")


def read_published(value: Any, where: str) -> tuple[Published, ...]:
    """Return the figures that a list in YAML holds; nothing where there is none.

    Raises:
        InputError: Something else than a list of figures.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InputError(f"{where}: a list of figures is needed, found {value!r}")
    names = ", ".join(field.name for field in dataclasses.fields(Published))
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            raise InputError(f"{where}: figure {number}: {names} are needed, found {row!r}")
    return tuple(
        from_mapping(Published, row, f"{where}: figure {number}")
        for number, row in enumerate(value, 1)
    )


def read_published_file(path: Path) -> tuple[Published, ...]:
    """Return the figures of a YAML file that has them under `published`.

    Raises:
        InputError: There is no such file, or no list of figures in it.
    """
    content = read_yaml(path)
    if list(content) != ["published"]:
        raise InputError(f"{path}: one key 'published' is needed, found {', '.join(content)}")
    return read_published(content["published"], f"{path}: published")


def beside_ours(
    figures: Sequence[Published], metrics: Mapping[str, Any], models: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the figures as report.json holds them, each with `ours`: our model, value, interval.

    Args:
        figures: What was published.
        metrics: Ours, as in report.json.
        models: The base model of every variant of ours.
    """
    rows = []
    for figure in figures:
        cell = metrics.get(figure.variant, {}).get(figure.metric)
        ours = None
        if cell is not None:
            ours = {"model": models.get(figure.variant)}
            ours |= {key: cell[key] for key in ("value", "low", "high", "n")}
        rows.append({**dataclasses.asdict(figure), "ours": ours})
    return rows
