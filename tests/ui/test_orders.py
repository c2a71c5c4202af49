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
    assert recipe_arguments(folder, {"name": "mine.yaml"}) == ["recipe", "run", "./mine.yaml"]


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
        ({"learning_rate": "nan"}, "learning_rate must be a finite number"),
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prepdata: {source: [csv=/etc/x.csv]}", "prepdata.source: '/etc/x.csv' leads out"),
        ("prepdata: {source: [csv=~/x.csv]}", "prepdata.source: '~/x.csv' leads out"),
        ("prepdata: {source: ['csv= ../x.csv']}", "prepdata.source: '../x.csv' leads out"),
        ("prepdata: {out: /tmp/out}", "prepdata.out: '/tmp/out' leads out"),
        ("tune: {runs: ../runs}", "tune: '../runs/mine' leads out"),
        ("tune: {model: /etc/model}", "tune.model: '/etc/model' leads out"),
        ("tune: {template: ../x.j2}", "tune.template: '../x.j2' leads out"),
        ("tune: {report_to: [wandb]}", "start it in a terminal"),
        ("compare: {out: ../x.json}", "compare.out: '../x.json' leads out"),
        ("compare: {prompts: [/etc/passwd]}", "compare.prompts: '/etc/passwd' leads out"),
        ("compare: {adapter: [a=/etc/b]}", "compare.adapter: '/etc/b' leads out"),
        ("compare: {endpoint: [a=http://b.example/v1]}", "start it in a terminal"),
        ("score: {metric: [helper.py:f]}", "start it in a terminal"),
        ("score: {metric: [a=json:/etc/b.json]}", "score.metric: '/etc/b.json' leads out"),
    ],
)
def test_recipe_of_the_folder_leads_nowhere_else(folder: Path, text: str, message: str) -> None:
    (folder / "mine.yaml").write_text(f"summary: mine\n{text}\n")
    with pytest.raises(InputError, match=message):
        recipe_arguments(folder, {"name": "mine.yaml"})


def test_recipe_is_no_option(folder: Path) -> None:
    (folder / "--set=tune.data=x.yaml").write_text("summary: mine\n")
    arguments = recipe_arguments(folder, {"name": "--set=tune.data=x.yaml"})
    assert arguments == ["recipe", "run", "./--set=tune.data=x.yaml"]


@pytest.mark.parametrize(
    "name", ["data/train.jsonl", "mine/config.json", "runs/rivers/metrics.jsonl"]
)
def test_links_in_data_model_and_run_lead_nowhere_else(folder: Path, name: str) -> None:
    form = {"data": "data", "model": "mine", "name": "rivers"}
    (folder / "mine").mkdir()
    assert tune_arguments(folder, form)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("/etc/passwd")
    with pytest.raises(InputError):
        tune_arguments(folder, form)


@pytest.mark.parametrize("model", ["~/m", "m" * 300 + "/"])
def test_model_that_is_no_name_is_refused(folder: Path, model: str) -> None:
    (folder / "~/m").mkdir(parents=True)
    with pytest.raises(InputError, match="model: there is no"):
        tune_arguments(folder, {"data": "data", "model": model})


def test_long_name_may_be_a_model(folder: Path) -> None:
    assert tune_arguments(folder, {"data": "data", "model": "m" * 300})


def test_recipes_of_the_package_are_run(folder: Path) -> None:
    for name in recipe_names(folder):
        assert recipe_arguments(folder, {"name": name, "model": "tiny"})[2] == name
