"""The `score` command: turn model_comparison.json into a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from core.errors import Group
from core.options import options_from, resolve
from eval.config import ReportConfig


@click.group(cls=Group)
def main() -> None:
    """Score what `infer compare` wrote: metrics, intervals, verdicts."""


@main.command("report")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write into.  [default: reports/<name of FILE>]",
)
@options_from(ReportConfig)
def report_command(files: tuple[Path, ...], out: Path | None, **typed: Any) -> None:
    """Write report.html, report.md, report.json and plots for FILE.

    FILE is a model_comparison.json, or a plain list of {"prompt", "regular", "fine_tuned"}.
    Several files of one experiment are scored together.
    """
    config = resolve(ReportConfig, typed)
    folder = out or Path("reports") / "+".join(path.stem for path in files)
    from eval.report import report
    from eval.summary import text_table

    click.echo(text_table(report(files, folder, config)))
    click.echo(f"\n{folder / 'report.html'}")
