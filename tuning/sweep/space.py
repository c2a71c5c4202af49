"""The search space of a sweep: for every setting that is searched, a range or a list of values."""

from __future__ import annotations

import math
import random
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.options import checked, field_name, field_values, without_none
from tuneproof.tuning.config import TuneConfig

FIXED = {
    "name": "trials are named after the sweep",
    "runs": "all trials stand in one folder",
    "overwrite": "it says nothing of the training",
    "data": "results on different validation records cannot be compared",
    "objective": "results of different objectives cannot be compared",
    "loss_weighting": "it changes what the validation loss measures",
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
    is_whole: bool = False
    """Whether the numbers are whole ones."""

    @property
    def samples(self) -> tuple[Any, ...]:
        """Values by which the settings can be checked."""
        return self.low, self.high

    @property
    def size(self) -> int | None:
        """How many values there are; None where they cannot be counted."""
        step = self.step or (1 if self.is_whole else None)
        return None if step is None else int((self.high - self.low) / step + 1e-9) + 1

    def value(self, label: Label) -> Any:
        """Return the setting for what Optuna chose."""
        return label

    def draw(self, source: random.Random) -> Label:
        """Return one of the numbers."""
        if self.size is None:
            if not self.log:
                return source.uniform(self.low, self.high)
            return math.exp(source.uniform(math.log(self.low), math.log(self.high)))
        return self.low + source.randrange(self.size) * (self.step or 1)

    def as_row(self) -> Any:
        """Return it as the YAML file has it."""
        more = {"log": True} if self.log else {} if self.step is None else {"step": self.step}
        return {"low": self.low, "high": self.high, **more}


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

    def draw(self, source: random.Random) -> Label:
        """Return one of the values."""
        return source.choice(self.labels)

    def as_row(self) -> Any:
        """Return it as the YAML file has it."""
        return [list(value) if isinstance(value, tuple) else value for value in self.samples]


Space = Mapping[str, Range | Choices]
"""By setting."""


def read_space(found: Any, where: str) -> dict[str, Range | Choices]:
    """Return the search space that a YAML file gives.

    Args:
        found: What stands there: by setting, ``{low, high}`` and perhaps ``log`` or ``step``, or a
            list of values.
        where: Begins the messages of errors.

    Raises:
        InputError: No setting at all, an unknown one, or one that cannot be searched like this.
    """
    if not isinstance(found, dict) or not found:
        raise InputError(f"{where}: settings to search are needed, as in lora_r: [8, 16, 32]")
    space = {}
    for key, given in found.items():
        name = field_name(TuneConfig, str(key), where)
        if name in FIXED:
            raise InputError(f"{where}: {name} cannot be searched: {FIXED[name]}")
        if name in space:
            raise InputError(f"{where}: {name} is there twice")
        place = f"{where}: {name}"
        space[name] = (
            _choices(name, given, where) if isinstance(given, list) else _range(name, given, place)
        )
    return space


def size_of(space: Space) -> int | None:
    """Return how many settings a space holds; None where they cannot be counted."""
    total = 1
    for each in space.values():
        if each.size is None:
            return None
        total *= each.size
    return total


def untried(
    space: Space, tried: Collection[Mapping[str, Label]], source: random.Random
) -> dict[str, Label]:
    """Return settings that were not tried; there must be some left."""
    while (drawn := {name: each.draw(source) for name, each in space.items()}) in tried:
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


def _choices(name: str, given: list[Any], where: str) -> Choices:
    values = [field_values(TuneConfig, {name: value}, where)[name] for value in given]
    if len({label_of(value) for value in values}) < len(values):
        raise InputError(f"{where}: {name}: the same value is there twice")
    if len(values) < 2:
        raise InputError(f"{where}: {name}: at least two values are needed; one goes under tune")
    return Choices(samples=tuple(values))


def _range(name: str, given: Any, where: str) -> Range:
    kind = without_none(typing.get_type_hints(TuneConfig)[name])
    if kind not in (int, float):
        raise InputError(f"{where}: a list of values is needed, found {given!r}")
    if not isinstance(given, dict):
        raise InputError(f"{where}: {{low, high}} or a list of values is needed, found {given!r}")
    for key in given:
        if key not in ("low", "high", "log", "step"):
            raise InputError(f"{where}: {unknown('key', str(key), ('low', 'high', 'log', 'step'))}")
    ends = {}
    for key in ("low", "high", "step"):
        value = given.get(key)
        if value is None and key != "step":
            raise InputError(f"{where}: {key} is needed beside {_others(given)}")
        if value is not None:
            ends[key] = checked(f"{where}: {key}", value, kind)
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{where}: log: expected true or false, found {log!r}")
    if not ends["low"] < ends["high"]:
        raise InputError(f"{where}: low must be under high, got {ends['low']} and {ends['high']}")
    if log and ends["low"] <= 0:
        raise InputError(f"{where}: low must be positive where log is true, got {ends['low']}")
    if log and "step" in ends:
        raise InputError(f"{where}: log and step do not go together; leave one out")
    if ends.get("step", 1) <= 0:
        raise InputError(f"{where}: step must be positive, got {ends['step']}")
    return Range(**ends, log=log, is_whole=kind is int)


def _others(given: Mapping[str, Any]) -> str:
    return ", ".join(map(str, given)) or "high"
