"""The run folder: what a run leaves behind, and how to find it again."""

from __future__ import annotations

import dataclasses
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from core.errors import InputError, unknown
from core.files import read_json, write_json
from tuning.config import TuneConfig

SCHEMA = "tuneproof/run@1"
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "tokenizers")
PLACE_ONLY = ("name", "runs", "overwrite")
"""Settings that say where a run stands, not what it is."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder and what its run.json says."""

    folder: Path
    """``runs/NAME``."""
    facts: dict[str, Any]
    """The content of run.json."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def adapter(self) -> Path:
        """Where the best adapter is saved."""
        return self.folder / "adapter"


def recorded(config: TuneConfig) -> dict[str, Any]:
    """Return the settings as run.json holds them."""
    values = dataclasses.asdict(config)
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in values.items()
    } | {"target_modules": list(config.target_modules)}


def open_run(folder: Path) -> Run:
    """Return the run in a folder (or the named run, given as ``runs/NAME``).

    Raises:
        InputError: There is no such run; the message names the nearest of those that are there.
    """
    if not (folder / "run.json").is_file():
        known = [run.name for run in all_runs(folder.parent)]
        raise unknown("run", str(folder if not known else folder.name), known)
    facts = read_json(folder / "run.json")
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise InputError(f"{folder / 'run.json'}: not a run of schema {SCHEMA}")
    return Run(folder=folder, facts=facts)


def all_runs(runs: Path) -> Iterator[Run]:
    """Yield every run of a folder of runs, by name."""
    for file in sorted(runs.glob("*/run.json")):
        facts = read_json(file)
        if isinstance(facts, dict) and facts.get("schema") == SCHEMA:
            yield Run(folder=file.parent, facts=facts)


def start(config: TuneConfig, data_fingerprint: str) -> dict[str, Any] | None:
    """Make the run's folder ready.

    Returns:
        What an interrupted run of the same settings and data recorded, to be gone on with, or
        None for a new run.

    Raises:
        InputError: The folder belongs to another run, or to something else.
    """
    folder = config.folder
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} is not empty and holds no run; choose another --name")
    if config.overwrite:
        shutil.rmtree(folder)
        return None
    facts = open_run(folder).facts
    differing = _differences(recorded(config), facts["config"])
    if facts["data"]["fingerprint"] != data_fingerprint:
        differing.append("the data")
    if differing:
        raise InputError(
            f"{folder} belongs to another run (it differs in {', '.join(differing)}); "
            "choose another --name, or give --overwrite"
        )
    if facts["state"] == "finished":
        raise InputError(
            f"{folder} is a finished run of the same settings; nothing to do. "
            "To train it again, give --overwrite"
        )
    return facts


def is_finished(config: TuneConfig, data_fingerprint: str) -> bool:
    """Return whether the run's folder holds a finished run of the same settings and data."""
    if not (config.folder / "run.json").is_file():
        return False
    facts = open_run(config.folder).facts
    return (
        facts["state"] == "finished"
        and facts["data"]["fingerprint"] == data_fingerprint
        and not _differences(recorded(config), facts["config"])
    )


def write(folder: Path, facts: dict[str, Any]) -> None:
    """Write run.json, whole or not at all."""
    write_json(folder / "run.json", {"schema": SCHEMA, **facts})


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide a result."""
    found = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def table(runs: list[Run]) -> str:
    """Return the runs as an aligned text table, one line each."""
    rows = [
        ("run", "state", "model", "method", "examples", "trained", "loss", "validation", "time")
    ]
    for run in runs:
        facts, result = run.facts, run.facts.get("result") or {}
        rows.append(
            (
                run.name,
                facts["state"],
                facts["config"]["model"],
                facts["config"]["method"],
                f"{facts['data']['train']['examples']:,}",
                f"{facts['parameters']['trainable'] / facts['parameters']['total']:.2%}",
                _number(result.get("last_loss")),
                _number(result.get("best_validation_loss")),
                f"{result['wall_seconds'] / 60:.1f} min" if "wall_seconds" in result else "",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    names = (set(one) | set(other)) - set(PLACE_ONLY)
    return sorted(name for name in names if one.get(name) != other.get(name))
