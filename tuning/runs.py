"""Compare a run folder with the settings of a run: is it that run, and is it finished?"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.run import FILE, LOCATION_ONLY, Run, read_run
from tuneproof.formats.template import Template
from tuneproof.models import load as models
from tuneproof.models.weights import weights_hash
from tuneproof.prompts import template as templates
from tuneproof.prompts.template import AUTO, OWN
from tuneproof.stamp import Stamp, code_fingerprint, versions_of
from tuneproof.text import table as text_table
from tuneproof.tuning.config import TuneConfig

PACKAGES = ("tuneproof", "torch", "transformers", "peft", "trl", "accelerate", "tokenizers")
COLUMNS = (
    "run", "state", "model", "objective", "method", "examples", "trained", "loss", "validation",
    "time",
)  # fmt: skip
ROOMS = (".", "formats", "models", "kernels", "prompts", "tuning")
"""The folders whose code decides the result of a training."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """What a run's folder holds, compared with the settings of a run."""

    state: Literal["new", "unfinished", "finished", "other"]
    """An empty folder; the same run, to be continued; the same run, finished; or another run."""
    run: Run | None = None
    """The run that is there."""
    differing: tuple[str, ...] = ()
    """Settings and inputs in which another run differs."""
    made_otherwise: tuple[str, ...] = ()
    """Code and versions that a finished run was trained with and that are others today."""


def recorded(config: TuneConfig) -> dict[str, Any]:
    """Return the settings as run.json holds them."""
    plain = {Path: str, tuple: list}
    return {
        name: next((form(value) for kind, form in plain.items() if isinstance(value, kind)), value)
        for name, value in dataclasses.asdict(config).items()
    }


def status_of(config: TuneConfig) -> RunStatus:
    """Compare the run's folder with the settings, and with data, template and base as they are now.

    Raises:
        InputError: The folder holds something else than a run, or there is no data.
    """
    folder = config.folder
    if folder.is_file() or any(path.is_file() for path in folder.rglob("*")):
        if not (folder / FILE).is_file():
            raise InputError(f"{folder} is not empty and holds no run; choose another --name")
    else:
        return RunStatus(state="new")
    run = read_run(folder)
    today = _stamp_of_today(config, run.stamp)
    differing = run.stamp.differing(today, defaults=recorded(TuneConfig()))
    if differing:
        return RunStatus(state="other", run=run, differing=tuple(differing))
    return RunStatus(
        state="finished" if run.state == "finished" else "unfinished",
        run=run,
        made_otherwise=tuple(run.stamp.made_otherwise(today)),
    )


def _stamp_of_today(config: TuneConfig, earlier: Stamp) -> Stamp:
    """Return what a run of these settings would be trained from now."""
    settings = recorded(config)
    inputs = {**earlier.inputs, "the data": DataFolder(config.data).fingerprint}
    if "the template's text" in inputs:
        inputs["the template's text"] = template_of(config).hash
    with suppress(OSError):  # a base from the Hub that is not on this disk (yet)
        inputs["the base's weights"] = weights_hash(config.model)
    return Stamp(
        settings={name: settings[name] for name in settings if name not in LOCATION_ONLY},
        inputs=inputs,
        code=code_fingerprint(*ROOMS),
        versions=versions_of(PACKAGES),
    )


def template_of(config: TuneConfig) -> Template:
    """Return the template that the settings name; the model's own chat template is its files'."""
    chat = models.chat_template(config.model) if config.template in (AUTO, OWN) else None
    return templates.load(config.template, chat, config.template_variables)


def check(config: TuneConfig) -> RunStatus:
    """Return the folder's status where a training may begin or continue there.

    What `--overwrite` began and did not finish is gone on with when it is typed again.

    Raises:
        InputError: The folder belongs to another run or to something else, or the run is done.
    """
    status = status_of(config)
    if config.overwrite and not was_begun_anew(status):
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


def was_begun_anew(status: RunStatus) -> bool:
    """Return whether a run of the same settings was begun with `--overwrite` and cut off."""
    run = status.run
    return run is not None and status.state == "unfinished" and bool(run.config.get("overwrite"))


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
                f"{run.parameters.trainable / max(1, run.parameters.total):.2%}",
                _number(result.last_loss if result else None),
                _number(result.best_validation_loss if result else None),
                f"{result.wall_seconds / 60:.1f} min" if result else "",
            ]
        )
    return text_table(rows, left=len(COLUMNS))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
