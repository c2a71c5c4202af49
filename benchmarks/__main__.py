"""Run the benchmarks: `python -m benchmarks [NAME]... [--small]`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import click

from benchmarks.harness import Result, Settings, processor_seconds
from benchmarks.page import tables, write

PARTS = ("decoding", "labels", "training", "memory", "report", "startup", "prepdata")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(PARTS))
@click.option(
    "--rounds", default=3, show_default=True, help="Rounds of every pair; slow sides: 1 or 2."
)
@click.option("--small", is_flag=True, help="Use tiny and little work: to see that it runs.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder of `prepdata build` with Dolly and FinQA to train on; made-up rows without.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("benchmarks/results"))
def main(names: tuple[str, ...], rounds: int, small: bool, data: Path, out: Path) -> None:
    """Measure this project against others and its goals; write NAME.json each and benchmarks.md."""
    settings = Settings(rounds=rounds, is_small=small, data=data)
    for name in names or PARTS:
        measure: Callable[[Settings], Sequence[Result]]
        measure = import_module(f"benchmarks.{name}").measure
        began, before = time.perf_counter(), processor_seconds()
        results = measure(settings)
        took = {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": processor_seconds() - before,
        }
        write(name, results, out, took)
        click.echo(tables(results))
    click.echo(out / "benchmarks.md")


if __name__ == "__main__":
    main()
