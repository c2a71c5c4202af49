"""A recipe's resolved settings as YAML: what would run, and a recipe itself when it is saved."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from tuneproof.eval.config import ReportConfig
from tuneproof.inference.config import CompareConfig
from tuneproof.options import changed
from tuneproof.prepdata.config import BuildConfig
from tuneproof.recipes.recipe import Recipe, default_out, run_name
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.seeds import repeats_of

ONLY_WHERE_SET = {
    "data", "name", "runs", "template", "template_variable", "train_on", "limit", "max_steps",
    "target_modules",
    "gradient_checkpointing", "dtype", "no_fast_path", "overwrite",
    "eval_steps", "early_stopping_patience", "sample_prompts", "report_to",
}  # fmt: skip
"""Settings of `tune` that are shown where they differ from the defaults; all others always."""


def as_yaml(recipe: Recipe) -> str:
    """Return the settings that differ from the defaults, and all that decide how a run learns."""
    root = recipe.root
    always = {field.name for field in dataclasses.fields(TuneConfig)} - ONLY_WHERE_SET
    default = TuneConfig(data=recipe.build.out, runs=root / "runs")
    runs = {
        short: changed(
            config, dataclasses.replace(default, name=run_name(recipe.name, short)), always
        )
        for short, config in recipe.runs.items()
    }
    common = _common(list(runs.values()))
    own = {
        short: {name: value for name, value in run.items() if common.get(name, ...) != value}
        for short, run in runs.items()
    }
    comparison = next(iter(recipe.comparisons.values()))
    compared = CompareConfig(
        run=tuple(config.folder.name for config in recipe.runs.values()),
        runs=next(iter(recipe.runs.values())).runs,
        out=default_out(recipe.prompts[0], recipe.reports),
    )
    content = {
        "summary": recipe.summary,
        "match": _match(recipe),
        "prepdata": changed(
            recipe.build, BuildConfig(out=root / "data" / recipe.name), ("source",)
        ),
        "tune": common,
        "runs": {} if list(own) == [""] else own,
        "compare": {
            "prompts": list(recipe.prompts),
            **changed(comparison, compared),
            **_merged(recipe),
        },
        "score": changed(recipe.score, ReportConfig()),
        "published": [
            dataclasses.asdict(dataclasses.replace(figure, variant=name))
            for figure in recipe.published
            for name in repeats_of(figure.variant, recipe.runs) or {"base"} & {figure.variant}
        ],
    }
    shown = {section: settings for section, settings in content.items() if settings}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def _merged(recipe: Recipe) -> dict[str, list[str]]:
    """Return the runs that are merged too, by their short names: folders are called otherwise."""
    shorts = {config.folder.name: short for short, config in recipe.runs.items()}
    return {"merged": [shorts[name] for name in recipe.merged]} if recipe.merged else {}


def _match(recipe: Recipe) -> str | dict[str, list[str]] | None:
    """Return how the runs are matched, as the recipe says it."""
    match = recipe.match
    if match is None:
        return None
    return match.by if match.runs == tuple(recipe.runs) else {match.by: list(match.runs)}


def _common(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings that all runs have with the same value, and the first one's model."""
    return {
        name: value
        for name, value in runs[0].items()
        if name == "model" or all(name in run and run[name] == value for run in runs)
    }
