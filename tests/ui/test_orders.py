"""Forms become the arguments of a command, or are refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.ui.orders import recipe_arguments, recipe_names, tune_arguments


def test_recipe_is_run_with_what_was_filled_in(folder: Path) -> None:
    form = {"name": "demo", "model": " tiny ", "source": "", "max_steps": "3"}
    assert recipe_arguments(folder, form) == [
        "recipe", "run", "demo", "--model=tiny", "--set=tune.max_steps=3",
    ]  # fmt: skip


def test_recipes_of_the_folder_are_listed_and_run(folder: Path) -> None:
    (folder / "mine.yaml").write_text("summary: mine\nprepdata: {source: [sample]}\n")
    (folder / "link.yaml").symlink_to("/etc/hostname")
    assert "demo" in recipe_names(folder)
    assert recipe_names(folder)[-1] == "mine.yaml"
    assert recipe_arguments(folder, {"name": "mine.yaml"}) == ["recipe", "run", "mine.yaml"]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "no recipe None here"),
        ({"name": "../demo"}, "no recipe '../demo' here"),
        ({"name": "demo", "model": "/etc/model"}, "model: there is no '/etc/model' in the folder"),
        ({"name": "demo", "model": "../m"}, "model: there is no '../m' in the folder"),
        ({"name": "demo", "source": "sample=/etc"}, "source: there is no '/etc' in the folder"),
        ({"name": "demo", "max_steps": "0"}, "max_steps must be at least 1"),
        ({"name": "demo", "max_steps": "1\ntune.data=/etc"}, "max_steps"),
    ],
)
def test_recipe_that_cannot_be_is_refused(folder: Path, form: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe_arguments(folder, form)


def test_training_is_started_with_what_was_filled_in(folder: Path) -> None:
    form = {"data": "data", "model": "tiny", "name": "-x", "lora_r": "4", "learning_rate": "1e-3"}
    assert tune_arguments(folder, {**form, "max_steps": " ", "other": "1"}) == [
        "tune", "run", "--data=data", "--model=tiny", "--name=-x", "--learning-rate=1e-3",
        "--lora-r=4",
    ]  # fmt: skip


def test_hub_id_may_be_a_model(folder: Path) -> None:
    assert "--model=openai-community/gpt2" in tune_arguments(
        folder, {"data": "data", "model": "openai-community/gpt2"}
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "../data"}, "data: there is no '../data' in the folder"),
        ({"data": "/etc"}, "data: there is no '/etc' in the folder"),
        ({"model": "/etc/model"}, "model: there is no '/etc/model' in the folder"),
        ({"model": "a/../../b"}, "model: there is no"),
        ({"name": "../x"}, "name must be a plain folder name"),
        ({"max_steps": "many"}, "max_steps: expected a whole number, found 'many'"),
        ({"learning_rate": "nan"}, "learning_rate must be positive"),
        ({"method": "lorra"}, "unknown method 'lorra'"),
    ],
)
def test_training_that_cannot_be_is_refused(
    folder: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tune_arguments(folder, {"data": "data", "model": "tiny", **changes})


def test_runs_that_are_a_link_out_of_the_folder_take_no_run(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / "runs").rename(folder / "old")
    (folder / "runs").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(InputError, match="leads out of the folder"):
        tune_arguments(folder, {"data": "data", "model": "tiny"})
