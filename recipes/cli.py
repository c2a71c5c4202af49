"""The `recipe` command."""

from __future__ import annotations

from pathlib import Path

import click

from core.errors import Group


@click.group(cls=Group)
def main() -> None:
    """Run all four stages of an experiment from one YAML file."""


@main.command(name="list")
def list_recipes() -> None:
    """Show the recipes that come with the package."""
    from core.options import read_yaml
    from recipes.recipe import FOLDER, names

    for name in names():
        click.echo(f"{name:14} {read_yaml(FOLDER / f'{name}.yaml')['summary']}")


@main.command()
@click.argument("name")
@click.option("--model", "--model-name-or-path", help="Base model instead of the recipe's.")
@click.option("--source", multiple=True, help="NAME=PATH: a local copy of one of its sources.")
@click.option("--set", "settings", multiple=True, help="STAGE.KEY=VALUE, may be repeated.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The folder under which data, runs and reports are written.  [default: this one]",
)
def run(
    name: str, model: str | None, source: tuple[str, ...], settings: tuple[str, ...], out: Path
) -> None:
    r"""Run the recipe NAME (or a YAML file): prepare, tune, compare, score.

    \b
    recipe run demo
    recipe run dolly-finqa --model tiny --source dolly=FILE --source finqa=FOLDER
    recipe run demo --set tune.learning_rate=1e-3 --set compare.limit=20
    """
    from recipes.recipe import load

    recipe = load(name, model=model, sources=source, settings=settings, root=out)
    from eval.summary import text_table
    from recipes.run import run_recipe

    found = run_recipe(recipe, lambda line: click.echo(line, err=True))
    click.echo(text_table(found))
    click.echo(f"report: {recipe.reports / 'report.html'}")
