"""The tables of docs/experiments.md: what a recipe trains, what was published and measured."""

from __future__ import annotations

import re

from benchmarks import results
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.files import read_json
from tuneproof.recipes.recipe import Recipe, load
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS, OBJECTIVES


def experiment(name: str) -> str:
    """Return what stands under an experiment's heading, beside what is written there by hand.

    Args:
        name: Of a recipe that comes with the package.
    """
    recipe = load(name)
    return "\n".join([_runs(recipe), _published(recipe), _measured(name)])


def _runs(recipe: Recipe) -> str:
    rows = [f"| `{short}` | {_what(config)} |" for short, config in recipe.runs.items()]
    rows += [f"| `{name}-merged` | the weights of both as one model |" for name in recipe.merged]
    if recipe.match is not None:
        by = {"flops": "FLOPs"}.get(recipe.match.by, recipe.match.by)
        rows.append(f"| | all may use as many {by} as `{recipe.match.first}` did |")
    return "\n".join(["| run | what is trained |", "|---|---|", *rows, ""])


def _what(config: TuneConfig) -> str:
    parts = [f"`{config.model}`, {METHODS[config.method].summary}"]
    if config.objective != "generate":
        parts.append(f"to {OBJECTIVES[config.objective].summary}")
    if config.gradient_checkpointing:
        parts.append("with gradient checkpointing")
    return ", ".join(parts)


def _published(recipe: Recipe) -> str:
    if not recipe.published:
        return "**Published**: no figures as text.\n"
    rows = []
    for figure in recipe.published:
        value = wording.amount(figure.value, unit_of(figure.metric, "tokens"))
        title = METRICS[figure.metric].title
        rows.append(f"| `{figure.variant}` | {title} {value} | {figure.model} | {figure.source} |")
    head = ["**Published**:", "", "| run | figure | model | source |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _measured(name: str) -> str:
    """Return the headline of each measurement, with a link to its section of results.md."""
    kept = read_json(results.FILE)
    lines = [
        f"- [{one.title}](results.md#{_anchor(one.title)}): {kept[key]['headlines'][0]}"
        for key, one in results.EXPERIMENTS.items()
        if key in kept and one.command.split()[2] == name
    ]
    return "\n".join(["**Measured**:", "", *lines, ""] if lines else ["**Measured**: not yet.\n"])


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
