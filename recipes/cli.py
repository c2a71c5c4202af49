"""The `recipe` command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tuneproof.errors import Group, InputError
from tuneproof.text import table

Command = TypeVar("Command", bound=Callable[..., Any])

RUN_EXAMPLES = """\b
recipe run demo
recipe run twitter-topics --model tiny --source twitter-topics=FOLDER
recipe run demo --set tune.learning_rate=1e-3 --set compare.limit=20
recipe run imdb-1k --set runs.head.lora_r=8 --set runs.lora=null
recipe run imdb-1k --set match=flops
"""
SHOW_EXAMPLES = """\b
recipe show imdb --model tiny
recipe show demo --set tune.lora_r=8 > mine.yaml
"""


@click.group(cls=Group)
def main() -> None:
    """Run all four stages of an experiment from one YAML file."""


@main.command(name="list")
def list_recipes() -> None:
    """Show the recipes that come with the package, with their runs."""
    from tuneproof.recipes.recipe import load, names

    recipes = map(load, names())
    rows = [
        (recipe.name, ", ".join(recipe.runs) or "one run", recipe.summary) for recipe in recipes
    ]
    click.echo(table(rows, left=3))


def changes(command: Command) -> Command:
    """Decorate a command with the name of a recipe and the options that change its settings."""
    for parameter in (
        click.option(
            "--set",
            "settings",
            multiple=True,
            help="STAGE.KEY=VALUE, or runs.RUN.KEY=VALUE for one of its runs, or match=flops, "
            "seconds or tokens: the other runs may use what the first did; may be repeated.",
        ),
        click.option("--source", multiple=True, help="NAME=PATH: a local copy of a source."),
        click.option("--model", "--model-name-or-path", help="Base model instead of the recipe's."),
        click.argument("name"),
    ):
        command = parameter(command)
    return command


@main.command(epilog=RUN_EXAMPLES)
@changes
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The folder under which data, runs and reports are written.  [default: the current one]",
)
@click.option(
    "--curve", metavar="SHARES",
    help="Instead: train the first run on shares of the data, such as 0.25,0.5,1, and say what "
    "twice the data would bring.",
)  # fmt: skip
@click.option(
    "--regressions", is_flag=True,
    help="Ask general items too, and say in the report and in the runs' cards what the tuning "
    "broke.",
)  # fmt: skip
@click.option(
    "--must-work", type=click.Path(path_type=Path),
    help="With --regressions: your own file of prompts that must still work.",
)  # fmt: skip
def run(
    name: str,
    model: str | None,
    source: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path,
    curve: str | None,
    regressions: bool,
    must_work: Path | None,
) -> None:
    """Run the recipe NAME (or a YAML file): prepare, tune, compare, score."""
    from tuneproof.recipes.recipe import load, with_regressions

    recipe = load(name, model=model, sources=source, settings=settings, root=out)
    if must_work is not None and not regressions:
        raise InputError("--must-work stands beside --regressions only")
    if regressions:
        recipe = with_regressions(recipe, must_work)
    if curve is not None:
        from tuneproof.eval.metrics.asked import with_asked
        from tuneproof.recipes.curve import run_curve, shares_of

        if regressions:
            raise InputError("--curve compares runs with each other; --regressions is for one")
        with with_asked(recipe.score.metric):
            click.echo(run_curve(recipe, shares_of(curve)).lines())
        return
    from tuneproof.eval.regressions import broken_table
    from tuneproof.eval.report.summary import text_table
    from tuneproof.recipes.run import run_recipe

    report = run_recipe(recipe)
    click.echo(text_table(report))
    if report.broken is not None:
        click.echo(f"\n{broken_table(report.broken)}\n")
    click.echo(f"report: {recipe.reports / 'report.html'}")


@main.command(epilog=SHOW_EXAMPLES)
@changes
def show(name: str, model: str | None, source: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Show the settings with which the recipe NAME (or a YAML file) would run, as YAML.

    What is not shown is at its default. Saved as a file, it is a recipe of its own.
    """
    from tuneproof.recipes.recipe import load
    from tuneproof.recipes.show import as_yaml

    recipe = load(name, model=model, sources=source, settings=settings)
    click.echo(as_yaml(recipe), nl=False)
