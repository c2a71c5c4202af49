"""The sweep's memory: Optuna's study in a file; it chooses settings and knows what came of them.

The file is SQLite: a change of it is there or it is not, whenever the process is killed. Optuna's
journal file leaves a lock behind then, and cannot be read again after half a line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.tuning.sweep.config import DIRECTIONS, SweepPlan
from tuneproof.tuning.sweep.importance import Importance, measure
from tuneproof.tuning.sweep.space import Choices, Label, Space, untried

NAME = "study.db"
NUMBER, REASON, DEFINITION = "number", "reason", "definition"
"""What is kept beside Optuna's own: a trial's number and why it failed; what the sweep is."""
State = Literal["finished", "pruned", "failed", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One try, as the study knows it."""

    number: int
    """From 1; its run is called after it."""
    state: State
    """`unfinished` where it is to be gone on with."""
    labels: dict[str, Label]
    """What was chosen, by setting."""
    value: float | None
    """The metric on the validation; of a pruned trial, after its last epoch."""
    epochs: dict[int, float]
    """The metric after every epoch."""
    reason: str | None
    """Why it failed."""


class Study:
    """Optuna's study, with trials that are numbered without gaps and never tried twice."""

    def __init__(self, study: Any, plan: SweepPlan, space: Space) -> None:
        """Take the study that `opened` opens."""
        self._study = study
        self._plan = plan
        self._space = space

    @property
    def definition(self) -> dict[str, Any] | None:
        """What the sweep was when it began; None where it has not begun."""
        found: dict[str, Any] | None = self._study.user_attrs.get(DEFINITION)
        return found

    def begin(self, definition: Mapping[str, Any]) -> None:
        """Keep what the sweep is."""
        self._study.set_user_attr(DEFINITION, definition)

    def trials(self) -> list[Trial]:
        """Return all trials by number."""
        found = [_trial(each) for each in self._study.trials if NUMBER in each.user_attrs]
        return sorted(found, key=lambda trial: trial.number)

    def best(self) -> Trial | None:
        """Return the best of the trials that were trained to the end; the first, of equal ones."""
        finished = [trial for trial in self.trials() if trial.state == "finished"]
        sign = 1 if DIRECTIONS[self._plan.metric] == "minimize" else -1
        return min(finished, key=lambda trial: sign * (trial.value or 0.0), default=None)

    @property
    def has_succeeded(self) -> bool:
        """Whether any trial was trained, to the end or until it was given up."""
        return any(trial.state in ("finished", "pruned") for trial in self.trials())

    def importance(self) -> Importance | str:
        """Return what decided the results, or why that cannot be said."""
        return measure(self._study)

    def next(self) -> tuple[Any, Trial]:
        """Return the trial that is unfinished, or a new one: Optuna's, and as it is told.

        What is drawn follows from the seed and the trials before, so that an interrupted sweep
        goes on as one that was not.
        """
        import optuna

        running, failed = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.FAIL
        told = self.trials()
        tried = [trial.labels for trial in told if trial.state != "unfinished"]
        while True:
            begun = self._study.get_trials(deepcopy=False, states=(running,))
            number = begun[0].number if begun else len(self._study.get_trials(deepcopy=False))
            seed = self._plan.seed + number
            self._study.sampler = optuna.samplers.TPESampler(seed=seed)
            # a process that was killed has left it running; Optuna itself would begin another one
            asked = optuna.Trial(self._study, begun[0]._trial_id) if begun else self._study.ask()
            labels = {name: _suggest(asked, name, each) for name, each in self._space.items()}
            if labels not in tried:
                break
            self._study.enqueue_trial(untried(self._space, tried, random.Random(seed)))
            self._study.tell(asked, state=failed)  # no number: it is no trial
        if NUMBER not in asked.user_attrs:
            asked.set_user_attr(NUMBER, len(told) + 1)
        return asked, _trial(self._study.get_trials(deepcopy=False)[asked.number])

    def report(self, asked: Any, epoch: int, value: float) -> bool:
        """Keep the metric after an epoch; return whether to give the trial up."""
        if epoch not in self._study.get_trials(deepcopy=False)[asked.number].intermediate_values:
            asked.report(value, epoch)
        return bool(asked.should_prune())

    def tell(
        self,
        asked: Any,
        state: Literal["finished", "pruned", "failed"],
        value: float | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        """Keep what became of a trial."""
        import optuna

        states = optuna.trial.TrialState
        if reason is not None:
            asked.set_user_attr(REASON, reason)
        if state == "finished":
            self._study.tell(asked, value)
        else:
            self._study.tell(asked, state=states.PRUNED if state == "pruned" else states.FAIL)


@contextmanager
def opened(folder: Path, plan: SweepPlan, space: Space) -> Iterator[Study]:
    """Open the study of a sweep's folder, or begin one there.

    Raises:
        InputError: Optuna is not installed.
    """
    check_installed()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / NAME).resolve()}")
    pruners = {
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=plan.prune_after),
        "none": optuna.pruners.NopPruner,
    }
    try:
        study = optuna.create_study(
            storage=storage,
            study_name="sweep",
            direction=DIRECTIONS[plan.metric],
            pruner=pruners[plan.pruner](),
            load_if_exists=True,
        )
        yield Study(study, plan, space)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def check_installed() -> None:
    """Raise InputError where Optuna, an extra of this package, is not installed."""
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"tune sweep needs {error.name}; install it with `pip install optuna`"
        ) from error


def _suggest(asked: Any, name: str, each: Any) -> Label:
    """Return what Optuna chooses for a setting, or has chosen already."""
    if isinstance(each, Choices):
        found: Label = asked.suggest_categorical(name, each.labels)
        return found
    suggest = asked.suggest_int if each.is_whole else asked.suggest_float
    step = {} if each.step is None else {"step": each.step}
    number: Label = suggest(name, each.low, each.high, log=each.log, **step)
    return number


def _trial(found: Any) -> Trial:
    states: dict[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
    return Trial(
        number=found.user_attrs[NUMBER],
        state=states.get(found.state.name, "unfinished"),
        labels=dict(found.params),
        value=found.value,
        epochs=dict(sorted(found.intermediate_values.items())),
        reason=found.user_attrs.get(REASON),
    )
