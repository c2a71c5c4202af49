"""A recipe's resolved settings as YAML: what would run, and a recipe itself when it is saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from tuneproof.eval.config import ReportConfig
from tuneproof.inference.config import CompareConfig
from tuneproof.prepdata.config import BuildConfig
from tuneproof.recipes.recipe import Recipe, default_out, training_name
from tuneproof.tuning.config import TuneConfig

ONLY_WHERE_SET = (
    "data",
    "name",
    "runs",
    "template",
    "limit",
    "max_steps",
    "target_modules",
    "gradient_checkpointing",
    "dtype",
    "no_fast_path",
    "overwrite",
)
"""Settings of `tune` that are shown where they differ from the defaults; all others always."""


def as_yaml(recipe: Recipe) -> str:
    """Return the settings that differ from the defaults, and all that decide how a run learns."""
    runs = {short: _run_settings(recipe, short) for short in recipe.runs}
    common = _common(list(runs.values()))
    own = {
        short: {name: value for name, value in settings.items() if common.get(name, ...) != value}
        for short, settings in runs.items()
    }
    content = {
        "summary": recipe.summary,
        "match": _match(recipe),
        "prepdata": _settings(
            recipe.build, BuildConfig(out=recipe.root / "data" / recipe.name), ("source",)
        ),
        "tune": common,
        "runs": {} if list(own) == [""] else own,
        "compare": {"prompts": list(recipe.prompts), **_compare_settings(recipe)},
        "score": _settings(recipe.score, ReportConfig()),
        "published": [dataclasses.asdict(figure) for figure in recipe.published],
    }
    shown = {section: settings for section, settings in content.items() if settings}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def _match(recipe: Recipe) -> str | dict[str, list[str]] | None:
    """Return how the runs are matched, as the recipe says it."""
    match = recipe.match
    if match is None:
        return None
    if match.runs == tuple(recipe.runs):
        return match.by
    return {match.by: list(match.runs)}


def _run_settings(recipe: Recipe, short: str) -> dict[str, Any]:
    config = recipe.runs[short]
    plain = TuneConfig(
        data=recipe.build.out, runs=recipe.root / "runs", name=training_name(recipe.name, short)
    )
    always = {field.name for field in dataclasses.fields(config)} - {*ONLY_WHERE_SET}
    return _settings(config, plain, always)


def _compare_settings(recipe: Recipe) -> dict[str, Any]:
    """Return what all comparisons of the recipe share; they differ in their files alone."""
    folders = [config.folder for config in recipe.runs.values()]
    plain = CompareConfig(
        run=tuple(folder.name for folder in folders),
        runs=folders[0].parent,
        out=default_out(recipe.prompts[0], recipe.reports),
    )
    return _settings(next(iter(recipe.comparisons.values())), plain)


def _settings(config: Any, plain: Any, always: Collection[str] = ()) -> dict[str, Any]:
    """Return the settings that differ from the plain ones, and those that are always shown."""
    return {
        field.name: _plain_value(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.name in always or getattr(config, field.name) != getattr(plain, field.name)
    }


def _common(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings that all runs have with the same value, and the first one's model."""
    return {
        name: value
        for name, value in runs[0].items()
        if name == "model" or all(name in run and run[name] == value for run in runs)
    }


def _plain_value(value: Any) -> Any:
    """Return a value as YAML has it."""
    if isinstance(value, tuple):
        return [_plain_value(item) for item in value]
    return str(value) if isinstance(value, Path) else value
