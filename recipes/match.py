"""Compute-matched runs: what the first run used is the budget of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.formats.run import Run
from tuneproof.formats.run_names import seed_name
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS
from tuneproof.tuning.seeds import repeats_of

BUDGETS = {"flops": "max_flops", "seconds": "max_seconds", "tokens": "max_tokens"}
"""What runs can be matched by, and the setting of `tune` that is the budget of it."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """Runs that may use as much as the first of them did."""

    by: str
    """``flops``, ``seconds`` (of training, evaluations apart) or ``tokens``."""
    runs: tuple[str, ...]
    """Their short names, in the recipe's order; the first sets the budget."""
    seeds: int = 1
    """How many of them are the first with its other seeds, which are trained as it is."""

    @property
    def first(self) -> str:
        """The run that is trained as its settings say."""
        return self.runs[0]

    @property
    def followers(self) -> tuple[str, ...]:
        """The runs whose budget is what the first used."""
        return self.runs[self.seeds :]

    def used(self, run: Run) -> float:
        """Return what a training used; 0 where an older run did not record it."""
        result = run.outcome
        used = {
            "flops": result.flops,
            "seconds": result.train_seconds,
            "tokens": result.tokens_seen,
        }
        return float(used[self.by] or 0)

    def budgeted(self, config: TuneConfig, amount: float) -> TuneConfig:
        """Return a run's settings with a budget of so much."""
        budget: dict[str, Any] = {BUDGETS[self.by]: amount}
        if self.by == "tokens":
            budget = {"max_tokens": round(amount)}
        return replace(config, **budget)


def read_match(
    value: Any, runs: Mapping[str, TuneConfig], named: Collection[str], where: str
) -> Match | None:
    """Return which of a recipe's runs are matched, by what; None where nothing is said.

    Args:
        value: ``flops``, ``seconds`` or ``tokens``, or ``{flops: [RUN, RUN]}`` to match some.
        runs: The settings of the runs there are.
        named: All runs that the recipe names, those that are left out included.
        where: File and key, for errors.

    Raises:
        InputError: Something else, fewer than two runs, or a run with a budget of its own.
    """
    if value is None:
        return None
    by, chosen = value, [*runs]
    if isinstance(value, dict) and len(value) == 1:
        ((by, chosen),) = value.items()
    if not isinstance(by, str) or not isinstance(chosen, list):
        raise InputError(
            f"{where}: flops, seconds or tokens is needed, or {{flops: [RUN, RUN]}}; "
            f"found {value!r}"
        )
    if by not in BUDGETS:
        raise InputError(f"{where}: {unknown('measure', by, BUDGETS)}")
    for short in map(str, chosen):
        if short not in {*runs, *named}:
            raise InputError(f"{where}: {unknown('run', short, runs)}")
    wanted = {own for short in map(str, chosen) for own in repeats_of(short, runs)}
    matched = tuple(short for short in runs if short in wanted)
    stem = matched[0].removesuffix(seed_name("", runs[matched[0]].seed)) if matched else ""
    of_first = wanted.intersection(repeats_of(stem, runs))
    match = Match(by=by, runs=matched, seeds=max(1, len(of_first)))
    if not match.followers:
        raise InputError(
            f"{where}: two runs are needed at least, found {', '.join(match.runs) or 'none'}; "
            "match: null trains all as they are set"
        )
    for short in match.followers:
        _check_follower(match, short, runs[short], where)
    return match


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
