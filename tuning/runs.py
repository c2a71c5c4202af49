"""The run folder: what a run leaves behind, and how to find it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.files import read_json, write_json
from tuneproof.formats.data_folder import FILES, DataFolder, prompts_for
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS

SCHEMA = "tuneproof/run@1"
PACKAGES = ("tuneproof", "torch", "transformers", "peft", "trl", "accelerate", "tokenizers")
COLUMNS = (
    "run", "state", "model", "objective", "method", "examples", "trained", "loss", "validation",
    "time",
)  # fmt: skip
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

    @property
    def saved(self) -> Path:
        """What the training left: the adapter, or the whole model where all weights are trained."""
        is_adapter = METHODS[self.facts["config"]["method"]].is_adapter
        return self.adapter if is_adapter else self.folder / "model"

    @property
    def prompts(self) -> Path:
        """What to try the run on."""
        data = Path(self.facts["data"]["folder"])
        answers_labels_only = self.facts["template"] is None
        return data / FILES["test"] if answers_labels_only else prompts_for(data)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How what is in a run's folder stands to the run that is asked for."""

    state: Literal["new", "unfinished", "finished", "other"]
    """Nothing there; the same run, to be gone on with; the same run, done; or another one."""
    facts: dict[str, Any] | None = None
    """What run.json says, where there is one."""
    differing: tuple[str, ...] = ()
    """In what another run differs."""


def recorded(config: TuneConfig) -> dict[str, Any]:
    """Return the settings as run.json holds them."""
    plain = {Path: str, tuple: list}
    return {
        name: next((form(value) for kind, form in plain.items() if isinstance(value, kind)), value)
        for name, value in dataclasses.asdict(config).items()
    }


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


def standing(config: TuneConfig) -> Standing:
    """Return how the run's folder stands to the settings, and to data, template and base as now.

    Raises:
        InputError: The folder holds something else than a run, or there is no data.
    """
    folder = config.folder
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        if not (folder / "run.json").is_file():
            raise InputError(f"{folder} is not empty and holds no run; choose another --name")
    else:
        return Standing(state="new")
    facts = open_run(folder).facts
    wanted = recorded(config)
    found = recorded(TuneConfig()) | facts["config"]  # a setting newer than the run had its default
    differing = [name for name in wanted if name not in PLACE_ONLY and wanted[name] != found[name]]
    if facts["data"]["fingerprint"] != DataFolder(config.data).fingerprint:
        differing.append("the data")
    told = facts["template"]  # none where texts are read as they are
    if told is not None and told["text"] != templates.load(config.template).text:
        differing.append("the template's text")
    with suppress(OSError):  # a base from the Hub that is not on this disk (yet)
        if facts["base"]["weights_sha256"] != models.weights_hash(config.model):
            differing.append("the base's weights")
    if differing:
        return Standing(state="other", facts=facts, differing=tuple(differing))
    state: Literal["finished", "unfinished"] = (
        "finished" if facts["state"] == "finished" else "unfinished"
    )
    return Standing(state=state, facts=facts)


def check(config: TuneConfig) -> Standing:
    """Return how the folder stands to the settings when a training may begin or go on there.

    Raises:
        InputError: The folder belongs to another run or to something else, or the run is done.
    """
    found = standing(config)
    if config.overwrite:
        return dataclasses.replace(found, state="new")
    if found.state == "other":
        raise InputError(
            f"{config.folder} belongs to another run (it differs in {', '.join(found.differing)}); "
            "choose another --name, or give --overwrite"
        )
    if found.state == "finished":
        raise InputError(
            f"{config.folder} is a finished run of the same settings; nothing to do. "
            "To train it again, give --overwrite"
        )
    return found


def write(folder: Path, facts: dict[str, Any]) -> None:
    """Write run.json, whole or not at all."""
    write_json(folder / "run.json", {"schema": SCHEMA, **facts})


def table(runs: list[Run]) -> str:
    """Return the runs as an aligned text table, one line each."""
    rows = [[*COLUMNS]]
    for run in runs:
        facts, result = run.facts, run.facts.get("result") or {}
        rows.append(
            [
                run.name,
                facts["state"],
                facts["config"]["model"],
                facts["config"].get("objective", TuneConfig.objective),
                facts["config"]["method"],
                f"{facts['data']['train']['examples']:,}",
                f"{facts['parameters']['trainable'] / facts['parameters']['total']:.2%}",
                _number(result.get("last_loss")),
                _number(result.get("best_validation_loss")),
                f"{result['wall_seconds'] / 60:.1f} min" if "wall_seconds" in result else "",
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
