"""What a sweep is: trials of other settings, data or template do not belong into its study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.prompts import template as templates
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.sweep import lock, study
from tuneproof.tuning.sweep.config import SweepConfig


def definition_of(config: SweepConfig) -> dict[str, Any]:
    """Return what decides the results of a sweep's trials, as JSON holds it.

    How many there are, how they are chosen and which are given up may change from call to call.

    Raises:
        InputError: There is no data, or nothing to choose by in it.
    """
    data, tune = DataFolder(config.tune.data), config.tune
    data.check()
    if not data.validation:
        where = data.file("validation")
        raise InputError(f"{where} holds no records; a sweep chooses by the validation")
    common = {k: v for k, v in runs.recorded(tune).items() if k not in runs.PLACE_ONLY}
    found = {
        "metric": config.plan.metric,
        "tune": common,
        "search": {name: each.as_row() for name, each in config.space.items()},
        "data": data.fingerprint,
        "template": {name: templates.load(name).text for name in _templates(config)},
    }
    known: dict[str, Any] = json.loads(json.dumps(found))
    return known


def _templates(config: SweepConfig) -> list[str]:
    searched = config.space.get("template")
    return [config.tune.template] if searched is None else [*searched.samples]


def make_room(config: SweepConfig, definition: Mapping[str, Any], *, is_anew: bool) -> None:
    """See to it that the sweep's folder holds nothing, or a sweep that can be gone on with.

    Raises:
        InputError: It holds another sweep, or something else.
    """
    inside = {path.name for path in config.folder.iterdir()} - {lock.NAME}
    if inside and study.NAME not in inside:
        raise InputError(f"{config.folder} is not empty and holds no sweep; choose another --name")
    if is_anew:
        return _remove(config)
    if not inside:
        return None
    with study.opened(config.folder, config.plan, config.space) as memory:
        known, trials = memory.definition, memory.trials()
    differing = [] if known is None else _differing(known, definition)
    if not differing:
        return None
    folders = (config.tune.runs / config.run_name(trial.number) for trial in trials)
    if not any(folder.exists() for folder in folders):
        return _remove(config)  # nothing was trained yet
    raise InputError(
        f"{config.folder} belongs to another sweep (it differs in {', '.join(differing)}); "
        "choose another --name, or give --overwrite, which removes its trials"
    )


def _differing(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return in what two sweeps differ, in the words of the YAML file."""
    plain = json.loads(json.dumps(runs.recorded(TuneConfig())))
    tunes = plain | known["tune"], wanted["tune"]  # a setting newer than the sweep had its default
    searches = known["search"], wanted["search"]
    found = [f"tune: {name}" for name in tunes[1] if tunes[0][name] != tunes[1][name]]
    found += [
        f"search: {name}"
        for name in sorted({*searches[0], *searches[1]})
        if searches[0].get(name) != searches[1].get(name)
    ]
    others = {"metric": "metric", "data": "the data", "template": "a template's text"}
    return found + [told for name, told in others.items() if known[name] != wanted[name]]


def _remove(config: SweepConfig) -> None:
    """Remove a sweep and the runs that it made."""
    for run in list(runs.all_runs(config.tune.runs)):
        if run.facts.get("made_by") == config.made_by:
            shutil.rmtree(run.folder)
    for file in config.folder.iterdir():
        if file.name != lock.NAME:
            file.unlink()
