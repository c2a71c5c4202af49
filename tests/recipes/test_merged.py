"""Runs that a recipe compares merged, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.recipes.recipe import load
from tuneproof.recipes.run import run_recipe
from tuneproof.recipes.show import as_yaml

TEXT = """\
runs: {a: {}, b: {}, head: {objective: classify}, all: {method: full}}
compare: {merged: [a]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(TEXT)
    return path


def test_merged_runs_go_by_their_short_names(file: Path) -> None:
    recipe = load(str(file))
    assert recipe.merged == ("m-a",)
    assert [config.merged for config in recipe.comparisons.values()] == [("m-a",)]
    assert load(str(file), settings=("compare.merged=[m-b, a]",)).merged == ("m-b", "m-a")
    assert load(str(file), settings=("compare.merged=null",)).merged == ()
    assert load(str(file), settings=("runs.a=null",)).merged == ()


def test_merged_runs_are_shown(file: Path, tmp_path: Path) -> None:
    recipe = load(str(file))
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "m.yaml").write_text(as_yaml(recipe))
    assert load(str(tmp_path / "again" / "m.yaml")) == recipe


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c", "m.yaml: compare: merged: unknown run 'c'."),
        ("head", "run 'head' (method lora, to classify) has no adapter that can be merged"),
        ("all", "run 'all' (method full, to generate) has no adapter that can be merged"),
    ],
)
def test_run_that_cannot_be_merged_is_refused_before_anything_is_trained(
    name: str, message: str, file: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load(str(file), settings=(f"compare.merged=[{name}]",))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_merge_is_made_once_and_again_when_the_run_is(recipe_file: Path) -> None:
    text = recipe_file.read_text().replace("  prompts: [test]\n", "  merged: [lora]\n")
    recipe_file.write_text(text + "runs: {lora: {}}\n")

    def merges(*settings: str) -> list[str]:
        said: list[str] = []
        with lines_to(said.append):
            run_recipe(load(str(recipe_file), root=recipe_file.parent, settings=settings))
        return [line for line in said if line.startswith("2/4 merge")]

    folder = recipe_file.parent / "runs/small-lora/merged"
    assert merges() == ["2/4 merge: small-lora"]
    assert (folder / "model.safetensors").is_file()
    comparison = json.loads((recipe_file.parent / "reports/small/test_comparison.json").read_text())
    names = [variant["name"] for variant in comparison["variants"]]
    assert names == ["base", "small-lora", "small-lora-merged"]
    assert merges() == [f"2/4 merge: {folder} is up to date"]
    assert merges("tune.lora_r=3") == ["2/4 merge: small-lora"]
