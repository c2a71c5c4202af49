"""sweep.json: the plan of a search for settings, its trials, and the importance of settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SCHEMA = "tuneproof/sweep@1"
State = Literal["finished", "pruned", "failed", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much of the differences between trials the settings explain."""

    trials: int
    """Finished trials that it is taken from."""
    shares: dict[str, float]
    """By setting, its share of the differences that single settings explain, the largest first;
    their sum is 1 (fANOVA, Hutter et al. 2014)."""
    chance: dict[str, float]
    """The largest share in 20 sweeps whose results are shuffled."""

    @property
    def beyond_chance(self) -> list[str]:
        """The settings that explain more than chance does."""
        return [name for name, share in self.shares.items() if share > self.chance[name]]

    def sentence(self) -> str:
        """Return the importance in words."""
        listed = ", ".join(f"{name} {self.shares[name]:.0%}" for name in self.beyond_chance)
        decided = f"{listed} of what decided" if listed else "no setting stands out from chance"
        return f"{decided} ({self.trials} finished trials)"


@dataclass(frozen=True, kw_only=True)
class TrialRun:
    """One trial, with the result of its run."""

    run: str
    """The run's name."""
    number: int
    """From 1."""
    state: State
    """``pruned``: it was ended early; ``unfinished``: the same command goes on with it."""
    value: float | None
    """The metric on the validation records; of a pruned trial, after its last epoch."""
    epochs: Mapping[str, float]
    """The metric after every epoch."""
    reason: str | None
    """Why it failed."""
    minutes: float | None
    """Of training and evaluation; None where it did not get so far."""
    settings: Mapping[str, Any]
    """What was chosen, by setting."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A search for the best settings, as far as it has come."""

    schema: str = SCHEMA
    """The form of the file."""
    name: str
    """The sweep's name; its runs are NAME-trial-001 and so on."""
    trials: int
    """How many settings are tried in all."""
    metric: Literal["loss", "accuracy"]
    """What of the validation decides."""
    pruner: Literal["median", "none"]
    """How a trial is judged that is not trained to the end."""
    prune_after: int
    """Trials that are trained to the end before any is pruned."""
    seed: int
    """For the choice of settings."""
    direction: str
    """Which way the metric is better: ``minimize`` or ``maximize``."""
    tune: Mapping[str, Any]
    """The settings that all trials have in common."""
    search: Mapping[str, Any]
    """The values or the range of each setting that is searched."""
    versions: Mapping[str, str]
    """Of Python and the packages that matter."""
    best: str | None
    """The run with the best metric; None before one was trained to the end."""
    importance: Importance | str
    """How much the settings matter, or why that cannot be said."""
    runs: tuple[TrialRun, ...]
    """The trials, by number."""
