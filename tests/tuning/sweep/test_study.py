from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from tuneproof.formats.sweep import Importance
from tuneproof.tuning.sweep.config import SweepPlan
from tuneproof.tuning.sweep.importance import FEWEST, draw
from tuneproof.tuning.sweep.space import Space, read_space
from tuneproof.tuning.sweep.study import Study, Trial, opened

SPACE = read_space(
    {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "lora_r": [4, 8]}, ""
)
SMALL = read_space({"lora_r": [4, 8, 16], "lora_alpha": {"low": 16, "high": 17}}, "")


def plan(**changes: Any) -> SweepPlan:
    return SweepPlan(**{"name": "s", "seed": 1, **changes})


def result_of(trial: Trial) -> float:
    return float(trial.labels.get("learning_rate") or 1) * 100 + float(trial.labels["lora_r"] or 0)


def tried(study: Study, count: int, result: Callable[[Trial], float] = result_of) -> list[Trial]:
    for _ in range(count):
        optuna_trial, trial = study.next()
        study.tell(optuna_trial, "finished", result(trial))
    return study.trials()


def test_a_study_that_is_opened_anew_chooses_what_it_would_have_chosen(tmp_path: Path) -> None:
    with opened(tmp_path / "whole", plan(), SPACE) as study:
        whole = tried(study, 12)  # the first ten are drawn at random, then results count
    for _ in range(6):
        with opened(tmp_path / "parts", plan(), SPACE) as study:
            parts = tried(study, 2)
    assert parts == whole
    assert len({trial.labels["learning_rate"] for trial in whole}) == 12
    assert [trial.number for trial in whole] == list(range(1, 13))


def test_an_unfinished_trial_is_the_next_one_with_what_it_had_reported(tmp_path: Path) -> None:
    with opened(tmp_path, plan(), SPACE) as study:
        tried(study, 1)
        optuna_trial, before = study.next()
        study.report(optuna_trial, 1, 3.5)
    with opened(tmp_path, plan(), SPACE) as study:
        optuna_trial, again = study.next()
        assert (again.number, again.labels, again.epochs) == (2, before.labels, {1: 3.5})
        study.report(optuna_trial, 1, 3.5)  # the evaluation is done again
        study.tell(optuna_trial, "finished", 3.0)
        assert [trial.state for trial in study.trials()] == ["finished", "finished"]


def test_a_trial_that_was_cut_off_while_it_was_chosen_is_completed(tmp_path: Path) -> None:
    with opened(tmp_path, plan(), SPACE) as study:
        study._study.ask().suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    with opened(tmp_path, plan(), SPACE) as study:
        _, trial = study.next()
        assert (trial.number, set(trial.labels)) == (1, {"learning_rate", "lora_r"})
        assert study.trials() == [trial]


def test_no_settings_are_tried_twice(tmp_path: Path) -> None:
    with opened(tmp_path, plan(), SMALL) as study:
        found = tried(study, 6)
    assert [trial.number for trial in found] == [1, 2, 3, 4, 5, 6]
    assert len({tuple(trial.labels.values()) for trial in found}) == 6


@pytest.mark.parametrize(("metric", "best"), [("loss", 2), ("accuracy", 3)])
def test_the_best_is_a_finished_trial_by_the_metric(metric: str, best: int, tmp_path: Path) -> None:
    with opened(tmp_path, plan(metric=metric), SPACE) as study:
        assert study.best() is None
        for value in (0.5, 0.3, 0.9, 0.3):
            optuna_trial, _ = study.next()
            study.tell(optuna_trial, "finished", value)
        for value in (0.1, 0.99):
            optuna_trial, _ = study.next()
            study.report(optuna_trial, 1, value)
            study.tell(optuna_trial, "pruned")
        optuna_trial, _ = study.next()
        study.tell(optuna_trial, "failed", reason="the loss is nan")
        found = study.best()
        assert found is not None and found.number == best
        assert study.trials()[-1].reason == "the loss is nan"
        assert study.trials()[4].value == 0.1


@pytest.mark.parametrize(
    ("changes", "given_up"),
    [
        ({}, [False, False, True]),
        ({"prune_after": 3}, [False] * 3),
        ({"pruner": "none"}, [False] * 3),
    ],
)
def test_worse_than_the_median_after_the_same_epoch_is_given_up(
    changes: dict[str, Any], given_up: list[bool], tmp_path: Path
) -> None:
    found = []
    with opened(tmp_path, plan(**{"prune_after": 2, **changes}), SPACE) as study:
        for first in (1.0, 3.0, 2.5):
            optuna_trial, _ = study.next()
            found.append(study.report(optuna_trial, 1, first))
            study.tell(optuna_trial, "finished", first)
    assert found == given_up


def importance_of(folder: Path, space: Space, result: Callable[[Trial], float]) -> Any:
    with opened(folder, plan(), space) as study:
        tried(study, 14, result)
        return study.importance()


def test_what_decided_stands_out_from_chance_and_is_drawn(tmp_path: Path) -> None:
    space = read_space(
        {"lora_r": {"low": 4, "high": 64}, "lora_dropout": {"low": 0, "high": 0.2}}, ""
    )
    found = importance_of(tmp_path, space, lambda trial: float(trial.labels["lora_r"] or 0))
    assert list(found.shares) == ["lora_r", "lora_dropout"]
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.beyond_chance == ["lora_r"]
    share = f"{found.shares['lora_r']:.0%}"
    assert found.sentence() == f"lora_r {share} of what decided (14 finished trials)"
    draw(found, "loss", tmp_path / "importance.png")
    assert (tmp_path / "importance.png").read_bytes().startswith(b"\x89PNG")


def test_chance_is_said_to_be_chance() -> None:
    found = Importance(trials=9, shares={"a": 0.6, "b": 0.4}, chance={"a": 0.7, "b": 0.7})
    assert found.sentence() == "no setting stands out from chance (9 finished trials)"


def test_too_few_trials_and_equal_results_have_no_importance(tmp_path: Path) -> None:
    with opened(tmp_path / "few", plan(), SPACE) as study:
        tried(study, FEWEST - 1)
        assert study.importance() == "4 finished trials are too few to tell; 5 are needed"
    with opened(tmp_path / "equal", plan(), SPACE) as study:
        tried(study, FEWEST, lambda _: 1.0)
        assert study.importance() == "all 5 finished trials have the same result"


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(0.1, 0.3, 0.1), (0.1, 0.95, 0.1), (0.7, 0.8, 0.05), (1e-4, 5e-4, 1e-4)],
)
def test_numbers_of_a_grid_are_each_tried_once(
    tmp_path: Path, low: float, high: float, step: float
) -> None:
    space = read_space({"learning_rate": {"low": low, "high": high, "step": step}}, "")
    size = space["learning_rate"].size
    assert size is not None
    with opened(tmp_path, plan(), space) as study:
        rates = sorted(float(trial.labels["learning_rate"] or 0) for trial in tried(
            study, size, lambda trial: float(trial.labels["learning_rate"] or 0)
        ))  # fmt: skip
    assert rates == pytest.approx([low + step * number for number in range(size)])
