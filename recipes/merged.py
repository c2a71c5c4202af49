"""Merged runs of a recipe: which are asked for, and making those that are not there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from tuneproof.errors import InputError, unknown
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS


def merged_runs(
    names: Sequence[str], runs: Mapping[str, TuneConfig], named: Collection[str], where: str
) -> tuple[str, ...]:
    """Return the runs that are to be merged as well, by their folders' names.

    Args:
        names: What `compare: merged` says: short names of runs, or the names of their folders.
        runs: The settings of the recipe's runs, by short name.
        named: All runs that the recipe names; those that are left out are not merged either.
        where: The recipe, for errors.

    Raises:
        InputError: No such run, or one whose weights have nothing to be merged into them.
    """
    where = f"{where}: compare: merged"
    found = []
    titles = {config.folder.name: short for short, config in runs.items()}
    for name in names:
        short = titles.get(name, name)
        if short not in runs and short not in named:
            raise InputError(f"{where}: {unknown('run', name, runs)}")
        if short not in runs:
            continue
        config = runs[short]
        method = METHODS[config.method]
        if config.objective != "generate" or not method.is_adapter or method.has_virtual_tokens:
            raise InputError(
                f"{where}: run {name!r} (method {config.method}, to {config.objective}) has no "
                "adapter that can be merged to answer prompts"
            )
        found.append(config.folder.name)
    return tuple(found)


def merge(config: TuneConfig, say: Callable[[str], None]) -> None:
    """Write a finished run's merged model where it is not there.

    A run that is trained again begins with an empty folder, so that what is there is of this one.

    Raises:
        InputError: The merged model does not answer as base and adapter do.
    """
    folder = config.folder / "merged"
    if (folder / "config.json").is_file():
        return say(f"2/4 merge: {folder} is up to date")
    say(f"2/4 merge: {config.folder.name}")
    from tuneproof.tuning.merge import merge_run
    from tuneproof.tuning.runs import open_run

    for line in merge_run(open_run(config.folder), folder).lines():
        say(line)
    return None
