"""Several trainings of the same settings that differ in their seed alone.

One run shows what one checkpoint does. Whether the settings help is a question about all seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuneproof.errors import InputError
from tuneproof.formats.run import Run
from tuneproof.formats.run_names import seed_name
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig


def with_seeds(config: TuneConfig, seeds: Sequence[int]) -> list[TuneConfig]:
    """Return the settings once for each seed, as runs called NAME-seedN.

    Raises:
        InputError: Fewer than two seeds, or one twice.
    """
    if len(set(seeds)) < max(2, len(seeds)):
        raise InputError(f"seeds must be two or more, each once, got {list(seeds)}")
    name = config.folder.name
    return [replace(config, seed=seed, name=seed_name(name, seed)) for seed in seeds]


def repeats_of(name: str, configs: Mapping[str, TuneConfig]) -> list[str]:
    """Return which of some settings are those of a name: its own, or its seeds'.

    Args:
        name: As before its seeds were told apart; may be empty.
        configs: Settings by name, one of several seeds as NAME-seedN.
    """
    return [
        own
        for own, config in configs.items()
        if own in (name, seed_name(name, config.seed).lstrip("-"))
    ]


def finetune_seeds(config: TuneConfig, count: int) -> list[Run]:
    """Train the settings with so many seeds in a row, from the config's own on.

    Runs that are finished already stay as they are, so that the same call goes on where an earlier
    one stopped, and a larger count adds to it; with `overwrite`, those stay that the call which was
    cut off had finished.

    Raises:
        InputError: As for `finetune`.
    """
    from tuneproof.tuning.run import finetune

    every = with_seeds(config, range(config.seed, config.seed + count))
    was_cut_off = [runs.was_begun_anew(runs.status_of(one)) for one in every]
    done: list[Run] = []
    for one in every:
        status = runs.status_of(one)
        is_anew = any(was_cut_off[len(done) :]) and status.run and status.run.config["overwrite"]
        is_done = status.state == "finished" and (is_anew or not one.overwrite)
        done.append(status.run if is_done and status.run else finetune(one))
    return done
