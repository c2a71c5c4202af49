"""Running a recipe: four stages in a row, each left out when what it would write is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.files import fingerprint, read_json
from prepdata import manifest
from prepdata.config import BuildConfig
from prepdata.sources.opening import local_files
from recipes.recipe import Recipe

Say = Callable[[str], None]


def run_recipe(recipe: Recipe, say: Say) -> dict[str, Any]:
    """Run all four stages and return the report.

    An interrupted recipe goes on where it stopped when it is run again.

    Raises:
        InputError: A stage cannot use what it is given.
    """
    _prepare(recipe, say)
    _tune(recipe, say)
    _compare(recipe, say)
    return _score(recipe, say)


def is_built(config: BuildConfig) -> bool:
    """Return whether the data folder holds what these settings and source files would build."""
    if not (config.out / manifest.NAME).is_file():
        return False
    found = manifest.read(config.out)
    wanted = dataclasses.asdict(config) | {"source": list(config.source), "out": str(config.out)}
    copies = {
        name: Path(path) for name, _, path in (s.partition("=") for s in config.source) if path
    }
    return bool(
        found["config"] == wanted
        and all(
            found["sources"][name]["files"]
            == {file.name: fingerprint(file) for file in local_files(path.expanduser())}
            for name, path in copies.items()
        )
        and all(
            (config.out / name).is_file() and fingerprint(config.out / name) == facts["sha256"]
            for name, facts in found["files"].items()
        )
    )


def _prepare(recipe: Recipe, say: Say) -> None:
    if is_built(recipe.build):
        return say(f"1/4 prepdata: {recipe.build.out} is up to date")
    from prepdata.build import build
    from prepdata.summary import build_summary

    say("1/4 prepdata")
    say(build_summary(recipe.build.out, build(recipe.build)))
    return None


def _tune(recipe: Recipe, say: Say) -> None:
    from tuning import runs

    fingerprint_of_data = manifest.data_fingerprint(manifest.read(recipe.tune.data))
    if runs.is_finished(recipe.tune, fingerprint_of_data):
        return say(f"2/4 tune: {recipe.tune.folder} is up to date")
    from tuning.sft import finetune

    say("2/4 tune")
    finetune(recipe.tune, say)
    return None


def _compare(recipe: Recipe, say: Say) -> None:
    from inference.compare import compare, is_up_to_date

    for prompts, config in recipe.comparisons.items():
        if is_up_to_date(prompts, config):
            say(f"3/4 compare: {config.out} is up to date")
            continue
        say(f"3/4 compare: {prompts}")
        compare(prompts, config)


def _score(recipe: Recipe, say: Say) -> dict[str, Any]:
    from eval.report import report

    files = [config.out for config in recipe.comparisons.values()]
    found = recipe.reports / "report.json"
    sources = [{"file": str(file), "sha256": fingerprint(file)} for file in files]
    if found.is_file():
        earlier: dict[str, Any] = read_json(found)
        if earlier["sources"] == sources and earlier["settings"] == dataclasses.asdict(
            recipe.score
        ):
            say(f"4/4 score: {found} is up to date")
            return earlier
    say("4/4 score")
    return report(files, recipe.reports, recipe.score)
