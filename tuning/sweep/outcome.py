"""The result of a sweep: its table, sweep.json, and the best settings for `tune run`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from tuneproof.files import write_json, write_text
from tuneproof.formats.codec import encode
from tuneproof.formats.data_folder import prompts_for
from tuneproof.formats.run import Result, read_run
from tuneproof.formats.sweep import Importance, State, Sweep, TrialRun
from tuneproof.options import changed
from tuneproof.stamp import versions_of
from tuneproof.text import table
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.sweep.config import DIRECTIONS, SweepConfig
from tuneproof.tuning.sweep.importance import draw
from tuneproof.tuning.sweep.space import Label, label_of, settings_of
from tuneproof.tuning.sweep.study import Study, Trial


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A sweep, as far as it has come."""

    config: SweepConfig
    """Its settings."""
    trials: list[TrialRun]
    """The trials, by number."""
    best: TrialRun | None
    """The best of those that were trained to the end."""
    importance: Importance | str
    """How much each setting matters, or why that cannot be said."""

    def lines(self) -> list[str]:
        """Return the table, the best trial and what to do next."""
        metric = self.config.plan.metric
        lines = [_table(self.trials, self.best, metric)]
        lines += [
            f"{trial.run} {line(trial, metric)}" for trial in self.trials if trial.state == "failed"
        ]
        if isinstance(self.importance, str):
            lines.append(f"importance: {self.importance}")
        else:
            lines += [
                f"importance: {self.importance.sentence()}",
                f"plot: {self.config.folder / 'importance.png'}",
            ]
        if self.best is None:
            return [*lines, "no trial was trained to its end"]
        lines.append(f"best: {self.best.run}, {line(self.best, metric)}")
        lines.append(f"again: tune run --config {self.config.folder / 'best.yaml'}")
        return [*lines, f"next: {_next(self.config.tune, self.best.run)}"]


def outcome_of(
    config: SweepConfig, study: Study, importance: Importance | str = "the sweep is not done"
) -> Outcome:
    """Return the result of a sweep so far."""
    trials = [_trial_run(config, trial) for trial in study.trials()]
    best = study.best()
    return Outcome(
        config=config,
        trials=trials,
        best=next((trial for trial in trials if best and trial.number == best.number), None),
        importance=importance,
    )


def write(outcome: Outcome) -> None:
    """Write sweep.json, best.yaml and the plot, as far as there is something for them."""
    config = outcome.config
    if outcome.best is not None:
        write_text(config.folder / "best.yaml", _best_yaml(outcome, outcome.best))
    if isinstance(outcome.importance, Importance):
        draw(outcome.importance, config.plan.metric, config.folder / "importance.png")
    content = Sweep(
        **dataclasses.asdict(config.plan),
        direction=DIRECTIONS[config.plan.metric],
        tune=runs.recorded(config.tune),
        search={name: values.as_row() for name, values in config.space.items()},
        versions=versions_of((*runs.PACKAGES, "optuna")),
        best=outcome.best.run if outcome.best else None,
        importance=outcome.importance,
        runs=tuple(outcome.trials),
    )
    write_json(config.folder / "sweep.json", encode(content))


def metric_of(metric: str, result: Result | None) -> float | None:
    """Return the metric of a run's kept weights on the validation records."""
    if result is None:
        return None
    return result.best_validation_loss if metric == "loss" else result.best_validation_accuracy


def shown(label: Label) -> str:
    """Return a value as the table has it."""
    if label is None:
        return "default"
    if isinstance(label, bool):
        return "yes" if label else "no"
    return f"{label:.4g}" if isinstance(label, float) else str(label)


def line(trial: TrialRun, metric: str) -> str:
    """Return the result of a trial in words."""
    spent = "" if trial.minutes is None else f", {trial.minutes:.1f} min"
    value, last_epoch = shown(trial.value), max(map(int, trial.epochs), default=0)
    ends: dict[State, str] = {
        "finished": f"validation {metric} {value}{spent}",
        "pruned": f"given up after epoch {last_epoch} with validation {metric} {value}{spent}",
        "failed": f"failed: {trial.reason}",
        "unfinished": "unfinished",
    }
    return ends[trial.state]


def _trial_run(config: SweepConfig, trial: Trial) -> TrialRun:
    """Return a trial of the study with the values of its run."""
    name = config.run_name(trial.number)
    folder = config.tune.runs / name
    result = read_run(folder).result if (folder / "run.json").is_file() else None
    settings = settings_of(config.space, trial.labels)
    return TrialRun(
        run=name,
        number=trial.number,
        state=trial.state,
        value=trial.value,
        epochs={str(epoch): value for epoch, value in trial.epochs.items()},
        reason=trial.reason,
        minutes=result.wall_seconds / 60 if result else None,
        settings={k: str(v) if isinstance(v, Path) else v for k, v in settings.items()},
    )


def _table(trials: list[TrialRun], best: TrialRun | None, metric: str) -> str:
    names = list(trials[0].settings) if trials else []
    cells = [["trial", *names, f"validation {metric}", "minutes", "state"]]
    for trial in trials:
        labels = (shown(label_of(trial.settings[name])) for name in names)
        value = "" if trial.value is None else f"{trial.value:.4f}"
        minutes = "" if trial.minutes is None else f"{trial.minutes:.1f}"
        state = f"{trial.state}, best" if trial is best else trial.state
        cells.append([trial.run, *labels, value, minutes, state])
    return table(cells, left=len(cells[0]))


def _best_yaml(outcome: Outcome, best: TrialRun) -> str:
    """Return the best trial's settings, as far as they are not the defaults or were searched."""
    import yaml

    config = outcome.config
    labels = {name: label_of(value) for name, value in best.settings.items()}
    tuned = config.trial(best.number, labels)
    settings = changed(tuned, TuneConfig(), config.space) | {"name": f"{config.plan.name}-best"}
    ended = sum(trial.state != "unfinished" for trial in outcome.trials)
    head = f"# {best.run}, the best of {ended} trials: {line(best, config.plan.metric)}\n"
    return head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100)


def _next(tune: TuneConfig, run: str) -> str:
    """Return the command that judges the best run on records that chose nothing."""
    where = "" if tune.runs == TuneConfig.runs else f" --runs {tune.runs}"
    return f"infer compare {prompts_for(tune.data)} --run {run}{where}"
