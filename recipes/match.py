"""Matched runs: the first is trained as it is set; what it used is the budget of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS

BUDGETS = {"flops": "max_flops", "seconds": "max_seconds", "tokens": "max_tokens"}
"""What runs can be matched by, and the setting of `tune` that is the budget of it."""
USED = {"flops": "flops", "seconds": "train_seconds", "tokens": "tokens_seen"}
"""What runs can be matched by, and where run.json has what a training used of it."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """Runs that may use as much as the first of them did."""

    by: str
    """``flops``, ``seconds`` (of training, evaluations apart) or ``tokens``."""
    runs: tuple[str, ...]
    """Their short names, in the recipe's order; the first sets the budget."""

    @property
    def first(self) -> str:
        """The run that is trained as its settings say."""
        return self.runs[0]

    @property
    def followers(self) -> tuple[str, ...]:
        """The runs that get what the first used."""
        return self.runs[1:]

    def used(self, facts: Mapping[str, Any]) -> float:
        """Return what a training used, from its run.json."""
        return float(facts["result"][USED[self.by]])

    def budgeted(self, config: TuneConfig, amount: float) -> TuneConfig:
        """Return a run's settings with a budget of so much."""
        budget: dict[str, Any] = {BUDGETS[self.by]: amount}
        if self.by == "tokens":
            budget = {"max_tokens": round(amount)}
        return replace(config, **budget)


def read_match(
    found: Any, runs: Mapping[str, TuneConfig], named: Collection[str], where: str
) -> Match | None:
    """Return which of a recipe's runs are matched, by what; None where nothing is said.

    Args:
        found: ``flops``, ``seconds`` or ``tokens``, or ``{flops: [RUN, RUN]}`` to match some.
        runs: The settings of the runs there are.
        named: All runs that the recipe names, those that are left out included.
        where: The recipe, for errors.

    Raises:
        InputError: Something else, fewer than two runs, or a run with a budget of its own.
    """
    if found is None:
        return None
    where = f"{where}: match"
    by, chosen = _parts(found, list(runs), where)
    for short in chosen:
        if short not in named:
            raise InputError(f"{where}: {unknown('run', short, runs)}")
    match = Match(by=by, runs=tuple(short for short in runs if short in chosen))
    if len(match.runs) < 2:
        raise InputError(
            f"{where}: two runs are needed at least, found {', '.join(match.runs) or 'none'}; "
            "match: null trains all as they are set"
        )
    for short in match.followers:
        _check_follower(match, short, runs[short], where)
    return match


def _parts(found: Any, runs: Sequence[str], where: str) -> tuple[str, Sequence[str]]:
    """Return by what is matched, and which runs."""
    by, chosen = found, runs
    if isinstance(found, dict) and len(found) == 1:
        ((by, chosen),) = found.items()
    is_listed = isinstance(chosen, list) and all(isinstance(short, str) for short in chosen)
    if not isinstance(by, str) or not is_listed:
        raise InputError(
            f"{where}: flops, seconds or tokens is needed, or {{flops: [RUN, RUN]}}; "
            f"found {found!r}"
        )
    if by not in BUDGETS:
        raise InputError(f"{where}: {unknown('measure', by, BUDGETS)}")
    return by, chosen


def _check_follower(match: Match, short: str, config: TuneConfig, where: str) -> None:
    """Raise InputError where a run has an end of its own, or can have no budget."""
    ends = [*BUDGETS.values()]
    if not METHODS[config.method].plans_by_steps:
        ends.append("max_steps")
    for name in ends:
        if getattr(config, name) is not None:
            raise InputError(
                f"{where}: runs.{short} has {name} of its own, but may use as many {match.by} as "
                f"{match.first}; leave it out, or set it for runs.{match.first} alone"
            )
    try:
        match.budgeted(config, 1)
    except ValueError as error:
        raise InputError(f"{where}: runs.{short}: {error}") from error
