"""`recipe run --regressions`: general items are asked, and report and card say what broke."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.recipes.cli import main
from tuneproof.recipes.recipe import load, with_regressions
from tuneproof.recipes.run import run_recipe


def test_a_recipe_asks_only_its_runs_that_write_answers(tmp_path: Path) -> None:
    recipe = with_regressions(load("imdb", model="tiny", root=tmp_path))
    assert recipe.regressions is not None
    classifiers = {
        config.folder.name for config in recipe.runs.values() if config.objective != "generate"
    }
    assert recipe.regressions.run and not classifiers & set(recipe.regressions.run)
    heads = load("imdb", model="tiny", settings=("runs.lora=null", "runs.qlora=null"))
    with pytest.raises(InputError, match="asks runs that write answers"):
        with_regressions(
            replace(heads, runs={n: c for n, c in heads.runs.items() if c.objective != "generate"})
        )


def test_must_work_needs_regressions(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", "demo", "--must-work", str(tmp_path / "mine.json")])
    assert done.exit_code == 2 and "--must-work stands beside --regressions" in done.output
    recipe = load("demo", root=tmp_path)
    with pytest.raises(InputError, match=r"no such file: .*mine\.json"):
        with_regressions(recipe, tmp_path / "mine.json")


@pytest.mark.slow
def test_the_report_and_the_card_say_what_broke_and_nothing_is_asked_twice(
    recipe_file: Path,
) -> None:
    asked = with_regressions(load(str(recipe_file), root=recipe_file.parent))
    assert asked.regressions is not None
    recipe = replace(asked, regressions=replace(asked.regressions, limit=8, max_new_tokens=2))
    report = run_recipe(recipe)
    assert report.broken is not None and report.broken.variants["small"].kinds["all"].n <= 8
    assert "## What it broke" in (recipe_file.parent / "runs/small/README.md").read_text()
    said: list[str] = []
    with lines_to(said.append):
        run_recipe(recipe)
    assert sum("is up to date" in line for line in said) == 5
