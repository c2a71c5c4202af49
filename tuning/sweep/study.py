"""Optuna's study of a sweep in a file: it chooses settings and keeps the results of the trials.

The file is SQLite: every change is whole, whenever the process is killed. Optuna's journal file
would leave a lock behind, and could not be read again after half a line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.formats.sweep import Importance, State
from tuneproof.tuning.sweep.config import DIRECTIONS, SweepPlan
from tuneproof.tuning.sweep.importance import measure
from tuneproof.tuning.sweep.space import Label, Space, untried

NAME = "study.db"
NUMBER, REASON, DEFINITION, ANEW = "number", "reason", "definition", "anew"
"""Attributes added to Optuna's: a trial's number and why it failed; the sweep's definition, and
whether it replaces an earlier sweep and is not at its end."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial as the study holds it."""

    number: int
    """From 1; its run is called after it."""
    state: State
    """`unfinished` where the training is to be continued."""
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
        """The sweep's definition when it began; None where it has not begun."""
        definition: dict[str, Any] | None = self._study.user_attrs.get(DEFINITION)
        return definition

    @property
    def is_anew(self) -> bool:
        """Whether it was begun in the place of an earlier one, and has not come to its end."""
        return bool(self._study.user_attrs.get(ANEW))

    def begin(self, definition: Mapping[str, Any], *, is_anew: bool) -> None:
        """Keep the sweep's definition, and whether it takes the place of an earlier one."""
        self._study.set_user_attr(DEFINITION, definition)
        self._study.set_user_attr(ANEW, is_anew)

    def end(self) -> None:
        """Note that all trials are there."""
        self._study.set_user_attr(ANEW, False)

    def trials(self) -> list[Trial]:
        """Return all trials by number; of one that was begun again, the last attempt."""
        attempts = (_trial(kept) for kept in self._study.trials if NUMBER in kept.user_attrs)
        trials = {trial.number: trial for trial in attempts}
        return [trials[number] for number in sorted(trials)]

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
        """Return the trial that is unfinished, or a new one: Optuna's, and as `trials` has it.

        What is drawn follows from the seed and the trials before, so that an interrupted sweep
        goes on as one that was not.
        """
        import optuna

        trials = self.trials()
        tried = [trial.labels for trial in trials if trial.state != "unfinished"]
        number = len(tried) + 1
        earlier = [kept for kept in self._study.trials if kept.user_attrs.get(NUMBER) == number]
        if earlier and earlier[-1].state == optuna.trial.TrialState.RUNNING:  # it was killed
            self._study.enqueue_trial(earlier[-1].params, user_attrs={NUMBER: number})
        seed = self._plan.seed + number - 1
        while True:
            self._study.sampler = optuna.samplers.TPESampler(seed=seed)
            optuna_trial = self._study.ask()
            labels = {
                name: values.suggest(optuna_trial, name) for name, values in self._space.items()
            }
            if labels not in tried:
                break
            self._study.enqueue_trial(untried(self._space, tried, random.Random(seed)))
            self._study.tell(optuna_trial, state=optuna.trial.TrialState.FAIL)  # without a number
        if NUMBER not in optuna_trial.user_attrs:
            optuna_trial.set_user_attr(NUMBER, number)
        for epoch, value in (row for kept in earlier for row in kept.intermediate_values.items()):
            self.report(optuna_trial, epoch, value)
        return optuna_trial, self.trials()[-1]

    def report(self, optuna_trial: Any, epoch: int, value: float) -> bool:
        """Keep the metric after an epoch; return whether to give the trial up."""
        if (
            epoch
            not in self._study.get_trials(deepcopy=False)[optuna_trial.number].intermediate_values
        ):
            optuna_trial.report(value, epoch)
        return bool(optuna_trial.should_prune())

    def tell(
        self,
        optuna_trial: Any,
        state: Literal["finished", "pruned", "failed"],
        value: float | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        """Keep the result of a trial."""
        import optuna

        states = optuna.trial.TrialState
        if reason is not None:
            optuna_trial.set_user_attr(REASON, reason)
        if state == "finished":
            self._study.tell(optuna_trial, value)
        else:
            self._study.tell(
                optuna_trial, state=states.PRUNED if state == "pruned" else states.FAIL
            )


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
            f"tune sweep needs {error.name}; install it with `pip install 'tuneproof[sweep]'`"
        ) from error


def _trial(kept: Any) -> Trial:
    states: dict[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
    return Trial(
        number=kept.user_attrs[NUMBER],
        state=states.get(kept.state.name, "unfinished"),
        labels=dict(kept.params),
        value=kept.value,
        epochs=dict(sorted(kept.intermediate_values.items())),
        reason=kept.user_attrs.get(REASON),
    )
