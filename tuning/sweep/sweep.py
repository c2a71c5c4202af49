"""Run a sweep: one trial after the other, each an ordinary run; an earlier call is continued."""

from __future__ import annotations

import gc
import json
import logging
import math
import shutil
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

from tuneproof.errors import InputError, is_out_of_memory
from tuneproof.files import remove_folder
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import digest
from tuneproof.formats.run import LOCATION_ONLY
from tuneproof.formats.run_names import all_runs
from tuneproof.locks import at_work
from tuneproof.log import notices_only
from tuneproof.models.weights import weights_hash
from tuneproof.stamp import Stamp
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.job import Pruner
from tuneproof.tuning.sweep.config import SweepConfig
from tuneproof.tuning.sweep.outcome import Outcome, line, metric_of, outcome_of, shown, write
from tuneproof.tuning.sweep.space import size_of
from tuneproof.tuning.sweep.study import NAME, Study, check_installed, opened

FAILURES = 3
"""So many failed trials, with none that did not fail, end a sweep."""
log = logging.getLogger(__name__)


def sweep(config: SweepConfig, *, is_anew: bool = False) -> Outcome:
    """Try settings until there are as many trials as the plan says, and leave the sweep's files.

    Args:
        config: The settings.
        is_anew: Whether to remove a sweep of the same name, its trials included, and begin again;
            where that was cut off, it goes on.

    Raises:
        InputError: Data or settings cannot be used, or the folder belongs to another sweep.
        KeyboardInterrupt: Ctrl-C came; the same call goes on from there.
    """
    check_installed()
    definition = _definition(config)
    with at_work(config.folder):
        config.folder.mkdir(parents=True, exist_ok=True)
        _make_room(config, definition, is_anew=is_anew)
        with opened(config.folder, config.plan, config.space) as study:
            study.begin(definition, is_anew=is_anew)
            try:
                _all_trials(config, study)
            except KeyboardInterrupt:
                log.info(f"{_ended(study)} trials are done; the same command goes on from there")
                raise
            except InputError:
                study.end()
                raise
            outcome = outcome_of(config, study, study.importance())
            write(outcome)
            study.end()
            return outcome


def _definition(config: SweepConfig) -> dict[str, Any]:
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
    if config.plan.metric == "accuracy" and tune.objective == "generate":
        from tuneproof.tuning.generate import has_labels

        if not has_labels(data):
            raise InputError(
                f"metric: accuracy is measured where answers are labels, and {data.path} has no "
                "label set for every task: use loss"
            )
    searched = config.space.get("template")
    names = [tune.template] if searched is None else searched.samples
    recorded = runs.recorded(tune)
    definition = {
        "metric": config.plan.metric,
        "tune": {name: recorded[name] for name in recorded if name not in LOCATION_ONLY},
        "search": {name: values.as_row() for name, values in config.space.items()},
        "data": data.fingerprint,
        "template": {name: runs.template_of(replace(tune, template=name)).text for name in names},
        "variables": tune.template_variables,
        "base": _hashes(config),
    }
    plain: dict[str, Any] = json.loads(json.dumps(definition))
    return plain


def _hashes(config: SweepConfig) -> dict[str, str]:
    """Return the hashes of the bases' weights, of those that are on this disk."""
    searched = config.space.get("model")
    hashes = {}
    for model in [config.tune.model] if searched is None else searched.samples:
        with suppress(InputError, OSError):  # a base from the Hub that is not here as a whole
            hashes[model] = weights_hash(model)
    return hashes


def _make_room(config: SweepConfig, definition: Mapping[str, Any], *, is_anew: bool) -> None:
    """Make sure that the sweep's folder is empty or holds a sweep that can be continued.

    Raises:
        InputError: It holds another sweep, or something else.
    """
    inside = {path.name for path in config.folder.iterdir() if not path.name.startswith(".")}
    if inside and NAME not in inside:
        raise InputError(f"{config.folder} is not empty and holds no sweep; choose another --name")
    if is_anew:
        goes_on = inside and _was_begun_anew(config, definition)
        return None if goes_on else _remove(config)
    if not inside:
        return None
    with opened(config.folder, config.plan, config.space) as study:
        known, trials = study.definition, study.trials()
    defaults = {f"tune: {name}": value for name, value in runs.recorded(TuneConfig()).items()}
    today = _stamp_of(definition)
    earlier = definition if known is None else _filled(known, definition)
    differing = _stamp_of(earlier).differing(today, defaults=defaults)
    if not differing:
        return None
    folders = (config.tune.runs / config.run_name(trial.number) for trial in trials)
    if not any(folder.exists() for folder in folders):
        return _remove(config)  # nothing was trained yet
    raise InputError(
        f"{config.folder} belongs to another sweep (it differs in {', '.join(differing)}); "
        "choose another --name, or give --overwrite, which removes its trials"
    )


def _was_begun_anew(config: SweepConfig, definition: Mapping[str, Any]) -> bool:
    """Return whether the same sweep was begun with `--overwrite` and cut off."""
    with suppress(Exception), opened(config.folder, config.plan, config.space) as study:
        known = study.definition
        return study.is_anew and known is not None and _filled(known, definition) == definition
    return False  # such as a database that cannot be read


def _filled(known: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return an earlier definition with what it could not know as it is today.

    Older ones have no variables and no bases, and a base may have been fetched by a trial.
    """
    known_bases, bases = known.get("base", {}), definition["base"]
    return {
        "variables": definition["variables"],
        **known,
        "base": {name: known_bases.get(name, sha256) for name, sha256 in bases.items()},
    }


def _stamp_of(definition: Mapping[str, Any]) -> Stamp:
    """Return the stamp of a sweep's trials, with settings named as in the YAML file."""
    parts = {part: definition[part] for part in ("tune", "search")}
    return Stamp(
        settings={
            "metric": definition["metric"],
            **{f"{part}: {name}": value for part in parts for name, value in parts[part].items()},
        },
        inputs={
            "the data": definition["data"],
            "a template's text": digest(*map(str, sorted(definition["template"].items()))),
            "a template's variables": digest(str(sorted(definition["variables"].items()))),
            **{f"the weights of {name}": sha256 for name, sha256 in definition["base"].items()},
        },
    )


def _remove(config: SweepConfig) -> None:
    """Remove a sweep and the runs that it made; last the file by which it is known as a sweep."""
    for run in list(all_runs(config.tune.runs)):
        if run.made_by == config.made_by:
            remove_folder(run.folder)
    for file in sorted(config.folder.iterdir(), key=lambda path: path.name == NAME):
        file.unlink()


def _all_trials(config: SweepConfig, study: Study) -> None:
    """Try settings until there are enough, or there is nothing left to try."""
    total, size = config.plan.trials, size_of(config.space)
    if size is not None and size <= total:
        total = size
        log.info(f"the search space holds {size} settings; each is tried once")
    if "model" in config.space and config.plan.metric == "loss":
        log.warning("losses can be compared between models with the same tokenizer only")
    is_brief = False  # the first training that this call sees is logged in full
    while (done := _ended(study)) < total:
        _one_trial(config, study, f"trial {done + 1} of {total}", is_brief=is_brief)
        write(outcome_of(config, study))
        is_brief = True


def _one_trial(config: SweepConfig, study: Study, head: str, *, is_brief: bool) -> None:
    """Begin a trial or go on with the one that was interrupted, and keep its result.

    Args:
        config: The sweep's settings.
        study: The trials so far.
        head: Says which trial it is.
        is_brief: Whether to log no more of its training than notices.
    """
    optuna_trial, trial = study.next()
    chosen = ", ".join(f"{name} {shown(label)}" for name, label in trial.labels.items())
    log.info(f"{head}: {chosen}")
    try:
        tuned = config.trial(trial.number, trial.labels)
    except ValueError as error:  # values that contradict each other
        study.tell(optuna_trial, "failed", reason=str(error))
    else:
        with notices_only() if is_brief else nullcontext():
            _run_trial(config, study, optuna_trial, tuned)
        shutil.rmtree(
            tuned.folder / "checkpoints", ignore_errors=True
        )  # no trial continues from them
    gc.collect()  # a trainer holds its model in a circle of references
    result = line(outcome_of(config, study).trials[-1], config.plan.metric)
    best = study.best()
    more = "" if best is None else f"; best so far: {shown(best.value)} (trial {best.number})"
    log.info(f"{head}: {result}{more}")
    _check_failures(study)


def _run_trial(config: SweepConfig, study: Study, optuna_trial: Any, tuned: TuneConfig) -> None:
    """Train a trial, unless that was done when an earlier call was killed."""
    status = runs.status_of(tuned)
    if status.state == "other":
        raise InputError(
            f"{tuned.folder} belongs to another run (it differs in {', '.join(status.differing)}); "
            "choose another --name, or remove it"
        )
    try:
        run = status.run
        if run is None or run.state not in ("finished", "pruned"):
            from tuneproof.tuning.run import finetune

            pruner = _pruner(config, study, optuna_trial)
            run = finetune(tuned, made_by=config.made_by, pruner=pruner)
    except (InputError, MemoryError, RuntimeError) as error:
        if not isinstance(error, InputError) and not is_out_of_memory(error):
            raise
        if not (tuned.folder / "run.json").exists() and not study.has_succeeded:
            raise  # it did not even begin, so that others would not either
        reason = " ".join(str(error).split()) or "out of memory"
        return study.tell(optuna_trial, "failed", reason=reason)
    metric = config.plan.metric
    value = metric_of(metric, run.result)
    if run.state == "pruned":
        return study.tell(optuna_trial, "pruned")
    if value is None or not math.isfinite(value):
        return study.tell(optuna_trial, "failed", reason=f"its validation {metric} is {value}")
    return study.tell(optuna_trial, "finished", value)


def _pruner(config: SweepConfig, study: Study, optuna_trial: Any) -> Pruner:
    name = f"eval_{config.plan.metric}"
    return lambda epoch, metrics: study.report(optuna_trial, epoch, metrics[name])


def _ended(study: Study) -> int:
    return sum(trial.state != "unfinished" for trial in study.trials())


def _check_failures(study: Study) -> None:
    """Raise InputError when trials fail and none does not."""
    failed = [trial for trial in study.trials() if trial.state == "failed"]
    if len(failed) >= FAILURES and not study.has_succeeded:
        raise InputError(f"all {len(failed)} trials failed; the last one: {failed[-1].reason}")
