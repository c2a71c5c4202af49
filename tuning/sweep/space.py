"""The search space of a sweep: for every setting that is searched, a range or a list of values."""

from __future__ import annotations

import math
import random
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.options import changed, checked, field_name, from_mapping, without_none
from tuneproof.tuning.config import TuneConfig

FIXED = {
    "name": "trials are named after the sweep",
    "runs": "all trials stand in one folder",
    "overwrite": "it says nothing of the training",
    "data": "results on different validation records cannot be compared",
    "objective": "results of different objectives cannot be compared",
    "loss_weighting": "it changes what the validation loss measures",
    "train_on": "it changes what the validation loss measures",
}
"""Settings that cannot be searched, and why."""
Label = str | int | float | bool | None
"""A value as Optuna stores it: lists and paths are written as text."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers between two ends, which are included."""

    low: float
    """The least."""
    high: float
    """The most."""
    log: bool = False
    """Whether every factor counts the same, rather than every difference."""
    step: float | None = None
    """Distance of neighbours; None where any number may be drawn, of whole ones: 1."""

    def __post_init__(self) -> None:
        """Reject what cannot be searched."""
        if not self.low < self.high:
            raise ValueError(f"low must be under high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be positive where log is true, got {self.low}")
        if self.log and self.step is not None:
            raise ValueError("log and step do not go together; leave one out")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step must be positive, got {self.step}")

    @property
    def spacing(self) -> float | None:
        """Distance of neighbours; None where any number may be drawn."""
        return self.step

    @property
    def samples(self) -> tuple[Any, ...]:
        """Values by which the settings can be checked."""
        return self.low, self.high

    @property
    def size(self) -> int | None:
        """How many values there are; None where they cannot be counted."""
        spacing = self.spacing
        return None if spacing is None else int((self.high - self.low) / spacing + 1e-9) + 1

    @property
    def last(self) -> float:
        """The highest of the values."""
        if self.size is None:
            return self.high
        steps = (self.size - 1) * Decimal(str(self.spacing))
        return type(self.low)(Decimal(str(self.low)) + steps)

    def value(self, label: Label) -> Any:
        """Return the setting for what Optuna chose."""
        return label

    def suggest(self, trial: Any, name: str) -> Label:
        """Let an Optuna trial choose."""
        number: float = trial.suggest_float(name, self.low, self.last, log=self.log, step=self.step)
        return number

    def draw(self, source: random.Random) -> Label:
        """Return one of the numbers."""
        if self.size is not None:
            number = self.low + source.randrange(self.size) * (self.spacing or 1)
            return min(number, self.last)  # as Optuna: 0.1 + 2 * 0.1 is a little above 0.3
        if self.log:
            return math.exp(source.uniform(math.log(self.low), math.log(self.high)))
        return source.uniform(self.low, self.high)

    def as_row(self) -> Any:
        """Return it as the YAML file has it."""
        return changed(self, type(self)(low=self.low, high=self.high), ("low", "high"))


@dataclass(frozen=True, kw_only=True)
class WholeRange(Range):
    """Whole numbers between two ends, which are included."""

    low: int
    """The least."""
    high: int
    """The most."""
    step: int | None = None
    """Distance of neighbours; None is 1."""

    @property
    def spacing(self) -> int:
        """Distance of neighbours."""
        return self.step or 1

    def suggest(self, trial: Any, name: str) -> Label:
        """Let an Optuna trial choose."""
        last = int(self.last)
        number: int = trial.suggest_int(name, self.low, last, log=self.log, step=self.spacing)
        return number


@dataclass(frozen=True, kw_only=True)
class Choices:
    """A few values without an order."""

    samples: tuple[Any, ...]
    """The values, as the settings have them."""

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.samples)

    @property
    def labels(self) -> list[Label]:
        """The values as Optuna stores them."""
        return [label_of(value) for value in self.samples]

    def value(self, label: Label) -> Any:
        """Return the setting for what Optuna chose."""
        return self.samples[self.labels.index(label)]

    def suggest(self, trial: Any, name: str) -> Label:
        """Let an Optuna trial choose."""
        label: Label = trial.suggest_categorical(name, self.labels)
        return label

    def draw(self, source: random.Random) -> Label:
        """Return one of the values."""
        return source.choice(self.labels)

    def as_row(self) -> Any:
        """Return it as the YAML file has it."""
        return [list(value) if isinstance(value, tuple) else value for value in self.samples]


Space = Mapping[str, Range | Choices]
"""By setting."""


def read_space(value: Any, where: str) -> dict[str, Range | Choices]:
    """Return the search space that a YAML file gives.

    Args:
        value: By setting, ``{low, high}`` and perhaps ``log`` or ``step``, or a list of values.
        where: Begins the messages of errors.

    Raises:
        InputError: No setting at all, an unknown one, or one that cannot be searched like this.
    """
    if not isinstance(value, dict) or not value:
        raise InputError(f"{where}: settings to search are needed, as in lora_r: [8, 16, 32]")
    space: dict[str, Range | Choices] = {}
    for key, values in value.items():
        name = field_name(TuneConfig, str(key), where)
        if name in FIXED:
            raise InputError(f"{where}: {name} cannot be searched: {FIXED[name]}")
        if name in space:
            raise InputError(f"{where}: {name} is there twice")
        read = _choices if isinstance(values, list) else _range
        space[name] = read(name, values, f"{where}: {name}")
    return space


def size_of(space: Space) -> int | None:
    """Return how many settings a space holds; None where they cannot be counted."""
    sizes = [values.size for values in space.values()]
    return None if None in sizes else math.prod(filter(None, sizes))


def untried(
    space: Space, tried: Collection[Mapping[str, Label]], source: random.Random
) -> dict[str, Label]:
    """Return settings that were not tried; there must be some left."""
    while (drawn := {name: values.draw(source) for name, values in space.items()}) in tried:
        pass
    return drawn


def settings_of(space: Space, labels: Mapping[str, Label]) -> dict[str, Any]:
    """Return settings for what Optuna chose."""
    return {name: space[name].value(label) for name, label in labels.items()}


def label_of(value: Any) -> Label:
    """Return a value as Optuna stores it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "all"  # target_modules: [] is every linear layer
    return str(value) if isinstance(value, Path) else value


def _choices(name: str, values: Any, where: str) -> Choices:
    kind = typing.get_type_hints(TuneConfig)[name]
    choices = tuple(checked(where, value, kind) for value in values)
    if len({label_of(value) for value in choices}) < len(choices):
        raise InputError(f"{where}: the same value is there twice")
    if len(choices) < 2:
        raise InputError(f"{where}: at least two values are needed; one goes under tune")
    return Choices(samples=choices)


def _range(name: str, ends: Any, where: str) -> Range:
    kind = without_none(typing.get_type_hints(TuneConfig)[name])
    if kind not in (int, float):
        raise InputError(f"{where}: a list of values is needed, found {ends!r}")
    if not isinstance(ends, dict):
        raise InputError(f"{where}: {{low, high}} or a list of values is needed, found {ends!r}")
    return from_mapping(WholeRange if kind is int else Range, ends, where)
