"""The run folder beside the settings: is it the run that is asked for, and how far did it come?"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.run import FILE, Run, read_run
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.tuning.config import TuneConfig

PACKAGES = ("tuneproof", "torch", "transformers", "peft", "trl", "accelerate", "tokenizers")
COLUMNS = (
    "run", "state", "model", "objective", "method", "examples", "trained", "loss", "validation",
    "time",
)  # fmt: skip
PLACE_ONLY = ("name", "runs", "overwrite")
"""Settings that say where a run stands, not what it is."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How what is in a run's folder stands to the run that is asked for."""

    state: Literal["new", "unfinished", "finished", "other"]
    """Nothing there; the same run, to be gone on with; the same run, done; or another one."""
    run: Run | None = None
    """The run that is there."""
    differing: tuple[str, ...] = ()
    """In what another run differs."""


def recorded(config: TuneConfig) -> dict[str, Any]:
    """Return the settings as run.json holds them."""
    plain = {Path: str, tuple: list}
    return {
        name: next((form(value) for kind, form in plain.items() if isinstance(value, kind)), value)
        for name, value in dataclasses.asdict(config).items()
    }


def standing(config: TuneConfig) -> Standing:
    """Return how the run's folder stands to the settings, and to data, template and base as now.

    Raises:
        InputError: The folder holds something else than a run, or there is no data.
    """
    folder = config.folder
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        if not (folder / FILE).is_file():
            raise InputError(f"{folder} is not empty and holds no run; choose another --name")
    else:
        return Standing(state="new")
    run = read_run(folder)
    wanted = recorded(config)
    trained = recorded(TuneConfig()) | dict(run.config)  # a newer setting had its default
    differing = [
        name for name in wanted if name not in PLACE_ONLY and wanted[name] != trained[name]
    ]
    if run.data.fingerprint != DataFolder(config.data).fingerprint:
        differing.append("the data")
    if run.template is not None and run.template.text != templates.load(config.template).text:
        differing.append("the template's text")
    with suppress(OSError):  # a base from the Hub that is not on this disk (yet)
        if run.base.weights_sha256 != models.weights_hash(config.model):
            differing.append("the base's weights")
    if differing:
        return Standing(state="other", run=run, differing=tuple(differing))
    return Standing(state="finished" if run.state == "finished" else "unfinished", run=run)


def check(config: TuneConfig) -> Standing:
    """Return how the folder stands to the settings when a training may begin or go on there.

    Raises:
        InputError: The folder belongs to another run or to something else, or the run is done.
    """
    status = standing(config)
    if config.overwrite:
        return dataclasses.replace(status, state="new")
    if status.state == "other":
        raise InputError(
            f"{config.folder} belongs to another run (it differs in "
            f"{', '.join(status.differing)}); choose another --name, or give --overwrite"
        )
    if status.state == "finished":
        raise InputError(
            f"{config.folder} is a finished run of the same settings; nothing to do. "
            "To train it again, give --overwrite"
        )
    return status


def table(runs: list[Run]) -> str:
    """Return the runs as an aligned text table, one line each."""
    rows = [[*COLUMNS]]
    for run in runs:
        result = run.result
        rows.append(
            [
                run.name,
                run.state,
                run.config["model"],
                run.objective,
                run.method,
                f"{run.data.train.examples:,}",
                f"{run.parameters.trainable / run.parameters.total:.2%}",
                _number(result.last_loss if result else None),
                _number(result.best_validation_loss if result else None),
                f"{result.wall_seconds / 60:.1f} min" if result else "",
            ]
        )
    return aligned(rows)


def aligned(rows: list[list[str]]) -> str:
    """Return rows of cells as lines whose columns begin at the same place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
