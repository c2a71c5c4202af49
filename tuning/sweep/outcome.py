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
from tuneproof.tuning.sweep.space import Label, settings_of
from tuneproof.tuning.sweep.study import Study, Trial


@dataclass(frozen=True, kw_only=True)
class Row:
    """A trial, with the values of its run."""

    trial: Trial
    """As the study holds it."""
    run: str
    """The run's name."""
    minutes: float | None
    """Of training and evaluation; None where it did not come so far."""

    def line(self, metric: str) -> str:
        """Return the result of the trial in words."""
        spent = "" if self.minutes is None else f", {self.minutes:.1f} min"
        ends: dict[State, str] = {
            "finished": f"validation {metric} {shown(self.trial.value)}{spent}",
            "pruned": f"given up after epoch {max(self.trial.epochs, default=0)} with validation "
            f"{metric} {shown(self.trial.value)}{spent}",
            "failed": f"failed: {self.trial.reason}",
            "unfinished": "unfinished",
        }
        return ends[self.trial.state]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A sweep, as far as it has come."""

    config: SweepConfig
    """Its settings."""
    rows: list[Row]
    """The trials, by number."""
    best: Row | None
    """The best of those that were trained to the end."""
    importance: Importance | str
    """How much each setting matters, or why that cannot be said."""

    def lines(self) -> list[str]:
        """Return the table, the best trial and what to do next."""
        metric = self.config.plan.metric
        lines = [_table(self.rows, self.best, metric)]
        lines += [
            f"{row.run} {row.line(metric)}" for row in self.rows if row.trial.state == "failed"
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
        lines.append(f"best: {self.best.run}, {self.best.line(metric)}")
        lines.append(f"again: tune run --config {self.config.folder / 'best.yaml'}")
        return [*lines, f"next: {_next(self.config.tune, self.best.run)}"]


def outcome_of(
    config: SweepConfig, study: Study, importance: Importance | str = "the sweep is not done"
) -> Outcome:
    """Return the result of a sweep so far."""
    rows = [_row(config, trial) for trial in study.trials()]
    best = study.best()
    return Outcome(
        config=config,
        rows=rows,
        best=next((row for row in rows if row.trial == best), None),
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
        runs=tuple(_trial_run(config, row) for row in outcome.rows),
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


def _row(config: SweepConfig, trial: Trial) -> Row:
    name = config.run_name(trial.number)
    folder = config.tune.runs / name
    result = read_run(folder).result if (folder / "run.json").is_file() else None
    return Row(trial=trial, run=name, minutes=result.wall_seconds / 60 if result else None)


def _table(rows: list[Row], best: Row | None, metric: str) -> str:
    names = list(rows[0].trial.labels) if rows else []
    cells = [["trial", *names, f"validation {metric}", "minutes", "state"]]
    for row in rows:
        labels = (shown(row.trial.labels[name]) for name in names)
        value = "" if row.trial.value is None else f"{row.trial.value:.4f}"
        minutes = "" if row.minutes is None else f"{row.minutes:.1f}"
        state = f"{row.trial.state}, best" if row is best else row.trial.state
        cells.append([row.run, *labels, value, minutes, state])
    return table(cells, left=len(cells[0]))


def _best_yaml(outcome: Outcome, best: Row) -> str:
    """Return the best trial's settings, as far as they are not the defaults or were searched."""
    import yaml

    config = outcome.config
    tuned = config.trial(best.trial.number, best.trial.labels)
    settings = changed(tuned, TuneConfig(), config.space) | {"name": f"{config.plan.name}-best"}
    ended = sum(row.trial.state != "unfinished" for row in outcome.rows)
    head = f"# {best.run}, the best of {ended} trials: {best.line(config.plan.metric)}\n"
    return head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100)


def _trial_run(config: SweepConfig, row: Row) -> TrialRun:
    trial = row.trial
    settings = settings_of(config.space, trial.labels)
    return TrialRun(
        run=row.run,
        number=trial.number,
        state=trial.state,
        value=trial.value,
        epochs={str(epoch): value for epoch, value in trial.epochs.items()},
        reason=trial.reason,
        minutes=row.minutes,
        settings={k: str(v) if isinstance(v, Path) else v for k, v in settings.items()},
    )


def _next(tune: TuneConfig, run: str) -> str:
    """Return the command that judges the best run on records that chose nothing."""
    where = "" if tune.runs == TuneConfig.runs else f" --runs {tune.runs}"
    return f"infer compare {prompts_for(tune.data)} --run {run}{where}"
