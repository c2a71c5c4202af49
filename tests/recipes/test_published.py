"""Published figures of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.report import read_report
from tuneproof.log import lines_to
from tuneproof.recipes.recipe import load, names
from tuneproof.recipes.run import run_recipe
from tuneproof.recipes.show import as_yaml

FIGURE = "{variant: %s, metric: rougeL, value: 0.5, model: GPT-2, source: there}"


def test_figures_go_by_short_names_and_reach_the_report_by_the_runs(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"runs: {{a: {{}}, b: {{name: mine}}}}\npublished: [{FIGURE % 'b'}]")
    recipe = load(str(path))
    assert [figure.variant for figure in recipe.published] == ["b"]
    assert [figure.variant for figure in recipe.published_by_variant] == ["mine"]
    (tmp_path / "again").mkdir()
    (tmp_path / "again/p.yaml").write_text(as_yaml(recipe))
    assert load(str(tmp_path / "again/p.yaml")) == recipe


def test_figures_stand_beside_every_seed_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"runs: {{a: {{seeds: [1, 2]}}, b: {{}}}}\npublished: [{FIGURE % 'a'}]")
    recipe = load(str(path))
    assert [figure.variant for figure in recipe.published_by_variant] == ["p-a-seed1", "p-a-seed2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"published: [{FIGURE % 'c'}]", "p.yaml: published: unknown run 'c'. Known: a, base"),
        ("published: 5", "p.yaml: published: a list of figures is needed, found 5"),
    ],
)
def test_figures_of_nothing_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"runs: {{a: {{}}}}\n{text}")
    with pytest.raises(InputError) as caught:
        load(str(path))
    assert message in str(caught.value)


def test_known_figures_of_the_experiments_stand_in_their_recipes() -> None:
    found = {
        name: {figure.variant: figure.value for figure in load(name).published} for name in names()
    }
    assert {name: figures for name, figures in found.items() if figures} == {
        "imdb": {"head-only": 0.83, "head": 0.90, "qlora": 0.88},
        "dolly-finqa": {"base": 0.8, "lora": 0.0},
        "twitter-topics": {"qlora": 0.018},
    }


@pytest.mark.slow
def test_report_is_made_anew_when_a_figure_comes(recipe_file: Path) -> None:
    def said() -> list[str]:
        lines: list[str] = []
        with lines_to(lines.append):
            run_recipe(load(str(recipe_file), root=recipe_file.parent))
        return [line for line in lines if line[1:3] == "/4" and "up to date" not in line]

    said()
    recipe_file.write_text(recipe_file.read_text() + f"published: [{FIGURE % 'base'}]\n")
    assert said() == ["4/4 score"]
    found = read_report(recipe_file.parent / "reports/small/report.json")
    assert found.published[0].ours.value == found.metrics["base"]["rougeL"].value
    assert said() == []
