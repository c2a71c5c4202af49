"""The `prepdata` command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tuneproof.errors import Group
from tuneproof.options import options_from, resolve
from tuneproof.prepdata.config import BuildConfig

EXAMPLES = """\b
prepdata build                                       Dolly and FinQA from the Hub
prepdata build --source dolly=FILE --source finqa=FOLDER
prepdata build --source csv=FILE --text-field message --label-field topic
"""


@click.group(cls=Group)
def main() -> None:
    """Turn sources into records, split so that nothing leaks, as JSONL files."""


@main.command(epilog=EXAMPLES)
@click.option("--config", type=click.Path(path_type=Path), help="YAML of the options below.")
@options_from(BuildConfig)
def build(config: Path | None, **typed: Any) -> None:
    """Write train.jsonl, val.jsonl, test.jsonl and manifest.json.

    What is left out as a repeat stands in dropped.jsonl, with what it repeats.
    """
    settings = resolve(BuildConfig, typed, config)
    from tuneproof.prepdata.build import build as build_data
    from tuneproof.prepdata.report import build_summary

    click.echo(build_summary(settings.out, build_data(settings)))


@main.command()
def sources() -> None:
    """List the sources: licence, size, and where they come from."""
    from tuneproof.prepdata.report import sources_table

    click.echo(sources_table())


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--tokenizer",
    default="tiny",
    show_default=True,
    help="Tokenizer to count with: tiny (embedded), smollm2, a folder, a GGUF file, or a Hub id.",
)
@click.option(
    "--records",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Show so many training records.",
)
@click.option(
    "--dropped",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=20,
    default=None,
    metavar="[N]",
    help="Show N (20) of the records left out as repeats, each with the one it repeats.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a web page instead: lengths, labels, what was left out as a repeat, "
    "near-duplicates across the splits, and a table of records to search in.",
)
def inspect(
    folder: Path, tokenizer: str, records: int, dropped: int | None, html: Path | None
) -> None:
    """Show what DIR holds: counts, token lengths, labels, what was left out, a few records."""
    if html is not None:
        from tuneproof.prepdata.page import write_page

        write_page(folder, html, tokenizer)
        click.echo(html)
        return
    from tuneproof.prepdata import report

    click.echo(report.inspect(folder, tokenizer=tokenizer, records=records, dropped=dropped or 0))
