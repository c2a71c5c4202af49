"""Find runs in the folder that holds them: by name, by the name of their seeds, or all of them."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.files import read_json
from tuneproof.formats.codec import has_schema
from tuneproof.formats.run import FILE, SCHEMA, Run, read_run

log = logging.getLogger(__name__)


def seed_name(name: str, seed: int) -> str:
    """Return what a run is called that is one of several seeds."""
    return f"{name}-seed{seed}"


def is_form_of(name: str, run: str) -> bool:
    """Return whether a variant is called a form of a run: RUN-q8, RUN.gguf, RUN_server."""
    return name.startswith(tuple(f"{run}{mark}" for mark in "-._"))


def runs_called(runs: Path, name: str) -> list[str]:
    """Return the run of a name, or its seeds where there is none but NAME-seed1, NAME-seed2, ..."""
    if (runs / name / FILE).is_file():
        return [name]
    pattern = re.compile(re.escape(name) + r"-seed(\d+)")
    by_seed = {
        int(match[1]): file.parent.name
        for file in runs.glob(f"{glob.escape(name)}-seed*/{FILE}")
        if (match := pattern.fullmatch(file.parent.name))
    }
    return [by_seed[seed] for seed in sorted(by_seed)] or [name]


def name_of_run(runs: Path, typed: str) -> str:
    """Return the name of a run that was typed as its name, or as its folder in `runs`.

    Raises:
        InputError: It leads out of the folder of runs.
    """
    path = Path(typed)
    if path.name not in ("", "..") and (path.name == typed or _is_same(path.parent, runs)):
        return path.name
    raise InputError(
        f"{typed!r} is no name of a run in {runs}; give a name that `tune list` shows, and the "
        "folder that holds the run as --runs"
    )


def _is_same(folder: Path, other: Path) -> bool:
    return folder.expanduser().resolve() == other.resolve()


def finished_run(runs: Path, name: str) -> Run:
    """Return a finished run by name.

    Raises:
        InputError: There is no such run, or it is not finished.
    """
    run = read_run(runs / name_of_run(runs, name))
    run.check_finished()
    return run


def all_runs(runs: Path) -> Iterator[Run]:
    """Yield every run of a folder of runs, by name; say which cannot be read."""
    for file in sorted(runs.glob(f"*/{FILE}")):
        try:
            run = read_run(file.parent) if has_schema(read_json(file), SCHEMA) else None
        except InputError as error:
            log.warning(f"left out: {error}")
            continue
        if run is not None:
            yield run
