"""Settings of `tune sweep`: read a YAML file, and check every name and value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.options import build, check_least_one, field_values, from_mapping, underscored
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.sweep.space import Space, label_of, read_space, settings_of
from tuneproof.yaml_text import read_yaml

DIRECTIONS = {"loss": "minimize", "accuracy": "maximize"}
"""The validation metrics, and which way is better."""


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """How many settings a sweep tries, and how it chooses and judges them."""

    name: str
    """Its folder is runs/NAME-sweep, and its trials are the runs NAME-trial-001 and so on."""
    trials: int = 20
    """How many settings are tried in all; more than before goes on with a sweep that is done."""
    metric: Literal["loss", "accuracy"] = "loss"
    """What of the validation decides: the loss, or where answers are labels, the accuracy."""
    pruner: Literal["median", "none"] = "median"
    """Whether a trial is given up that is worse after an epoch than the median of the trials that
    were trained to the end, after the same epoch."""
    prune_after: int = 5
    """Trials that are trained to the end before any is given up."""
    seed: int = 42
    """For the choice of settings; the trainings have their own."""

    def __post_init__(self) -> None:
        """Reject values out of range."""
        TuneConfig(name=self.name)
        check_least_one(self, "trials", "prune_after")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """Everything that decides a sweep."""

    plan: SweepPlan
    """How settings are chosen and judged."""
    tune: TuneConfig
    """What all trials have in common."""
    space: Space
    """What is searched."""

    @property
    def folder(self) -> Path:
        """Where the sweep's own files stand."""
        return self.tune.runs / f"{self.plan.name}-sweep"

    @property
    def made_by(self) -> str:
        """How a trial's run.json names the sweep."""
        return f"tune sweep {self.plan.name}"

    def run_name(self, number: int) -> str:
        """Return the name of a trial's run."""
        return f"{self.plan.name}-trial-{number:03}"

    def trial(self, number: int, labels: Mapping[str, Any]) -> TuneConfig:
        """Return the settings of a trial.

        Args:
            number: Of the trial, from 1.
            labels: What Optuna chose.

        Raises:
            ValueError: These settings contradict each other.
        """
        settings = settings_of(self.space, labels)
        return dataclasses.replace(self.tune, name=self.run_name(number), **settings)


def read_sweep(path: Path, typed: Mapping[str, Any]) -> SweepConfig:
    """Read a sweep's file.

    Args:
        path: The YAML file.
        typed: What the command line says over it: `trials` and `name` of the sweep, and settings of
            `tune`; None where nothing is typed.

    Raises:
        InputError: An unknown key, or a value that cannot be; the message names file and key.
    """
    content = {underscored(key): value for key, value in read_yaml(path).items()}
    sections = [field.name for field in dataclasses.fields(SweepPlan)] + ["tune", "search"]
    for key in content:
        if key not in sections:
            raise InputError(f"{path}: {unknown('key', key, sections)}")
    over = {name: value for name, value in typed.items() if value is not None}
    space = read_space(content.pop("search", None), f"{path}: search")
    common = field_values(TuneConfig, content.pop("tune", None), f"{path}: tune")
    of_plan: dict[str, Any] = {n: over.pop(n) for n in ("trials", "name") if n in over}
    for name in space:
        if name in common or name in over:
            where = "tune" if name in common else f"--{name}"
            raise InputError(f"{path}: search: {name} is given under {where} too; leave one out")
    for name in ("name", "overwrite"):
        if name in common:
            raise InputError(f"{path}: tune: {name} is not a trial's own; leave it out")
    config = SweepConfig(
        plan=from_mapping(SweepPlan, {"name": path.stem, **content, **of_plan}, str(path)),
        tune=build(TuneConfig, {**common, **over}, f"{path}: tune"),
        space=space,
    )
    _check(config, path)
    return config


def _check(config: SweepConfig, path: Path) -> None:
    """Raise InputError where a value of the space fits no values of the other settings.

    Every value is tried with the first values of all other settings, and with another value of one
    of them.
    """
    if "max_length" in config.space and config.tune.objective == "generate":
        raise InputError(
            f"{path}: search: max_length cannot be searched where answers are learned: it changes "
            "which tokens the validation loss is of"
        )
    first = {name: values.samples[0] for name, values in config.space.items()}
    others: list[dict[str, Any]] = [{}]
    others += [
        {name: value} for name, values in config.space.items() for value in values.samples[1:]
    ]
    for name, values in config.space.items():
        for value in values.samples:
            faults = [_fault(config.tune, {**first, **other, name: value}) for other in others]
            if None not in faults:
                raise InputError(f"{path}: search: {name}: {label_of(value)}: {faults[0]}")


def _fault(tune: TuneConfig, changes: Mapping[str, Any]) -> str | None:
    """Return why settings do not go together, or None where they do."""
    try:
        dataclasses.replace(tune, **changes)
    except ValueError as error:
        return str(error)
    return None
