"""Run the benchmarks: `python -m benchmarks [NAME]... [--small]`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

from benchmarks.subjects import Settings
from benchmarks.table import Goal, Row, markdown, write

Measure = Callable[[Settings], list[Row] | list[Goal]]
PARTS = ("decoding", "labels", "training", "memory", "report", "startup", "prepdata")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(PARTS))
@click.option("--rounds", default=5, show_default=True, help="Rounds of every pair.")
@click.option("--small", is_flag=True, help="Use tiny and little work: to see that it runs.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("benchmarks/results"))
def main(names: tuple[str, ...], rounds: int, small: bool, out: Path) -> None:
    """Measure this project, beside others or its goals; write NAME.json each and benchmarks.md."""
    settings = Settings(rounds=rounds, is_small=small)
    for name in names or PARTS:
        measure: Measure = import_module(f"benchmarks.{name}").measure
        rows = measure(settings)
        write(name, rows, out)
        click.echo(markdown(rows))
    click.echo(out / "benchmarks.md")


if __name__ == "__main__":
    main()
