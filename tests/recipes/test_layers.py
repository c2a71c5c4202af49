"""What goes over what: the recipe, what it says for a model, the command line; and its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.recipes.recipe import Recipe, load, names
from tuneproof.recipes.show import as_yaml

TEXT = """\
summary: for tests
prepdata: {source: [sample], limit: 40}
tune: {model: gpt2, lora_r: 4, seed: 1, max_length: 100}
runs:
  small:
  large: {lora_r: 32, seed: 2}
compare: {prompts: [test, prompts], limit: 9}
score: {resamples: 500}
models:
  tiny:
    prepdata: {limit: 20}
    tune: {seed: 5}
    runs:
      small: {max-length: 64}
      large: null
      other: {lora_r: 2}
    compare: {limit: 3}
    score: {resamples: 200}
  gpt2-large:
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(TEXT)
    return path


def learnt(recipe: Recipe) -> dict[str, tuple[int, int, int]]:
    return {
        short: (config.lora_r, config.seed, config.max_length)
        for short, config in recipe.runs.items()
    }


def test_runs_go_over_tune_and_are_named_after_recipe_and_run(file: Path) -> None:
    recipe = load(str(file))
    assert learnt(recipe) == {"small": (4, 1, 100), "large": (32, 2, 100)}
    assert [str(config.folder) for config in recipe.runs.values()] == [
        "runs/two-small", "runs/two-large",
    ]  # fmt: skip
    assert {config.data for config in recipe.runs.values()} == {Path("data/two")}


def test_all_runs_are_compared_over_every_file_of_prompts(file: Path) -> None:
    comparisons = load(str(file)).comparisons.values()
    assert [config.run for config in comparisons] == [("two-small", "two-large")] * 2
    named = load(str(file), settings=("compare.run=[two-large]",)).comparisons.values()
    assert [config.run for config in named] == [("two-large",)] * 2


def test_section_of_the_model_goes_over_every_section_of_the_recipe(file: Path) -> None:
    recipe = load(str(file), model="tiny")
    assert learnt(recipe) == {"small": (4, 5, 64), "other": (2, 5, 100)}
    assert recipe.build.limit == 20
    assert {config.limit for config in recipe.comparisons.values()} == {3}
    assert recipe.score.resamples == 200
    assert load(str(file), settings=("tune.model=tiny",)) == recipe
    assert load(str(file), settings=("tune.model-name-or-path=tiny",)) == recipe


def test_section_of_the_files_own_model_is_used(file: Path) -> None:
    file.write_text(TEXT.replace("model: gpt2", "model: tiny"))
    assert load(str(file)).build.limit == 20
    assert load(str(file), model="gpt2-large").build.limit == 40
    assert load(str(file), model="somebody/tiny").build.limit == 40


def test_recipe_without_a_model_has_the_default_one(file: Path) -> None:
    file.write_text("models: {gpt2: {tune: {seed: 3}}}")
    assert load(str(file)).runs[""].seed == 3


def test_tune_on_the_command_line_goes_to_all_runs_and_over_all(file: Path) -> None:
    recipe = load(str(file), model="tiny", settings=("tune.seed=9", "tune.max_length=50"))
    assert learnt(recipe) == {"small": (4, 9, 50), "other": (2, 9, 50)}


def test_run_on_the_command_line_goes_to_one_and_over_tune(file: Path) -> None:
    settings = ("runs.large.seed=7", "tune.seed=9", "runs.large.lora-r=3")
    assert learnt(load(str(file), settings=settings)) == {
        "small": (4, 9, 100),
        "large": (3, 7, 100),
    }


def test_null_on_the_command_line_leaves_a_run_out(file: Path) -> None:
    assert list(load(str(file), settings=("runs.small=null",)).runs) == ["large"]


def test_model_of_the_command_line_is_that_of_every_run_that_names_none(file: Path) -> None:
    file.write_text("runs: {a: {model: distilgpt2}, b: {}}\nmodels: {tiny: {tune: {seed: 3}}}")

    def models(**changes: Any) -> list[str]:
        return [config.model for config in load(str(file), **changes).runs.values()]

    assert models(model="tiny") == ["distilgpt2", "tiny"]
    assert models(settings=("tune.model=tiny",)) == ["distilgpt2", "tiny"]
    assert models(model="tiny", settings=("runs.a.model=gpt2-xl",)) == ["gpt2-xl", "tiny"]
    assert models() == ["distilgpt2", "gpt2"]


def test_models_of_runs_are_shown_as_theirs_alone(file: Path, tmp_path: Path) -> None:
    file.write_text("runs: {a: {}, b: {model: distilgpt2}, c: {}}")
    recipe = load(str(file), model="gpt2-large")
    assert shown_again(recipe, tmp_path / "again") == recipe
    again = shown_again(recipe, tmp_path / "again", model="tiny")
    assert [config.model for config in again.runs.values()] == ["tiny", "distilgpt2", "tiny"]


def test_model_can_add_runs_to_a_recipe_without_any(file: Path) -> None:
    file.write_text("models: {tiny: {runs: {a: {seed: 1}, b: {}}}}")
    assert list(load(str(file)).runs) == [""]
    assert list(load(str(file), model="tiny").runs) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: {}", "r.yaml: unknown section 'run'. Did you mean 'runs'?"),
        ("model: {}", "r.yaml: unknown section 'model'. Did you mean 'models'?"),
        ("tune: {sed: 1}", "r.yaml: tune: unknown setting 'sed'. Did you mean 'seed'?"),
        ("compare: {prompt: [a]}", "r.yaml: compare: unknown setting 'prompt'. Did you mean"),
        ("tune: {prompts: [a]}", "r.yaml: tune: unknown setting 'prompts'."),
        ("runs: [a]", "r.yaml: runs: settings (key: value) are needed, found ['a']"),
        ("runs: {a: 5}", "r.yaml: runs.a: settings (key: value) are needed, found 5"),
        ("runs: {a: {sed: 1}}", "r.yaml: runs.a: unknown setting 'sed'. Did you mean 'seed'?"),
        ("runs: {a: {seed: x}}", "r.yaml: runs.a: seed: expected a whole number, found 'x'"),
        ("runs: {a: {seed: -1}}", "r.yaml: runs.a: seed must not be negative"),
        ("runs: {a/b: {}}", "r.yaml: runs.a/b: name must be a plain folder name"),
        ("runs: {a: {name: x}, b: {name: x}}", "r.yaml: runs need names of their own"),
        ("runs: {a: {runs: x}, b: {}}", "r.yaml: runs need names of their own, in one folder"),
        ("models: 5", "r.yaml: models: settings (key: value) are needed, found 5"),
        ("models: {tiy: {}}", "r.yaml: models: unknown model 'tiy'. Did you mean 'tiny'?"),
        ("models: {tiny: 5}", "r.yaml: models.tiny: settings (key: value) are needed, found 5"),
        ("models: {tiny: {tun: {}}}", "r.yaml: models.tiny: unknown section 'tun'. Did you mean"),
        ("models: {tiny: {models: {}}}", "r.yaml: models.tiny: unknown section 'models'"),
        ("models: {tiny: {tune: {sed: 1}}}", "r.yaml: models.tiny: tune: unknown setting 'sed'."),
        ("models: {tiny: {tune: {seed: x}}}", "r.yaml: models.tiny: tune: seed: expected a"),
        ("models: {tiny: {tune: {model: gpt2}}}", "these settings are for 'tiny'; leave 'model'"),
        ("models: {tiny: {runs: {a: {sed: 1}}}}", "models.tiny: runs.a: unknown setting 'sed'."),
        (
            "runs: {abc: {}}\nmodels: {tiny: {runs: {abd: null}}}",
            "null for unknown run 'abd'. Did you mean 'abc'?",
        ),
        ("runs: {a: {}}\nmodels: {tiny: {runs: {a: null}}}", "r.yaml: every run is left out"),
    ],
)
def test_faults_at_every_level_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load(str(tmp_path / "r.yaml"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("runs.smal.seed=1", "--set runs.smal: unknown run 'smal'. Did you mean 'small'?"),
        ("runs.smal=null", "--set runs.smal: unknown run 'smal'. Did you mean 'small'?"),
        ("runs.small.sed=1", "--set 'runs.small.sed=1': unknown setting 'sed'. Did you mean"),
        ("runs.small=5", "--set 'runs.small=5': runs.NAME.KEY=VALUE is needed"),
        ("run.small.seed=1", "--set 'run.small.seed=1': unknown section 'run'. Did you mean"),
        ("runs..seed=1", "--set runs.: unknown run ''"),
        ("tune.sed=1", "--set 'tune.sed=1': unknown setting 'sed'. Did you mean 'seed'?"),
    ],
)
def test_settings_that_name_nothing_are_refused(setting: str, message: str, file: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(str(file), settings=(setting,))
    assert str(caught.value).startswith(message)


def shown_again(recipe: Recipe, folder: Path, **changes: Any) -> Recipe:
    folder.mkdir(exist_ok=True)
    (folder / f"{recipe.name}.yaml").write_text(as_yaml(recipe))
    return load(str(folder / f"{recipe.name}.yaml"), **changes)


@pytest.mark.parametrize("model", ["gpt2", "tiny"])
@pytest.mark.parametrize("name", names())
def test_what_is_shown_is_a_recipe_of_the_same_settings(
    name: str, model: str, tmp_path: Path
) -> None:
    recipe = load(name, model=model)
    assert shown_again(recipe, tmp_path) == recipe


@pytest.mark.parametrize("model", [None, "tiny"])
@pytest.mark.parametrize(
    "settings",
    [
        ("runs.small.limit=5", "tune.gradient-checkpointing=true", "prepdata.source=[dolly=/d]"),
        ("runs.small.name=mine", "tune.runs=elsewhere", "compare.run=[mine]"),
        (
            "prepdata.out=there",
            "compare.prompts=[test]",
            "compare.out=c.json",
            "tune.dtype=float32",
        ),
    ],
)
def test_changed_settings_are_shown(
    settings: tuple[str, ...], model: str | None, file: Path, tmp_path: Path
) -> None:
    recipe = load(str(file), model=model, settings=settings)
    assert shown_again(recipe, tmp_path / "again") == recipe


def test_only_run_that_is_left_keeps_its_name_when_shown(file: Path, tmp_path: Path) -> None:
    recipe = load(str(file), settings=("runs.large=null",))
    again = shown_again(recipe, tmp_path / "again")
    assert again == recipe
    assert again.runs["small"].folder.name == "two-small"


def test_show_is_small(file: Path) -> None:
    shown = as_yaml(load(str(file), settings=("score.resamples=10000",)))
    assert "score" not in shown
    assert "models" not in shown
    assert "template" not in shown
    assert shown.count("seed: ") == 2
