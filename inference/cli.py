"""The `infer` command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneproof.errors import Group
from tuneproof.inference.config import CompareConfig, Decoding
from tuneproof.options import options_from, resolve

if TYPE_CHECKING:
    from tuneproof.formats.comparison import Comparison


@click.group(cls=Group)
def main() -> None:
    """Ask a base model and its tuned runs the same questions, in the same way."""


@main.command()
@click.argument("prompts", type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="YAML of the options below.")
@options_from(CompareConfig)
def compare(prompts: Path, config: Path | None, **typed: Any) -> None:
    """Answer PROMPTS (.json or .jsonl) by base and runs; write model_comparison.json."""
    settings = resolve(CompareConfig, typed, config)
    from tuneproof.inference.compare import compare as compare_file

    try:
        comparison = compare_file(prompts, settings)
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        raise
    items, variants = len(comparison.items), len(comparison.variants)
    click.echo(f"{items} prompts x {variants} variants: {settings.out}")
    if comparison.left_out:
        click.echo(f"left out as too long: {', '.join(_left_out(comparison))}", err=True)
    from tuneproof.eval.checks.comparison import lines_of

    for line in lines_of(settings.out):
        click.echo(line, err=True)
    click.echo(f"next: score report {settings.out}")


@main.command()
@click.option("--run", required=True, help="The run to talk to.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@options_from(Decoding)
def chat(run: str, runs: Path, **typed: Any) -> None:
    """Type questions; see the answers of base and run under each other. End with Ctrl-D."""
    decoding = resolve(Decoding, typed)
    from tuneproof.formats.run import finished_run
    from tuneproof.inference.chat import replies
    from tuneproof.inference.variants import load_variants

    loaded = load_variants([finished_run(runs, run)])
    for answers in replies(loaded, _typed_lines(), decoding):
        if answers is None:
            click.echo("that is longer than anything the run was trained on", err=True)
            continue
        for name, answer in answers.items():
            mark = "" if answer.finish_reason == "eos" else " (did not stop)"
            click.secho(f"{name}{mark}", bold=True, nl=False)
            click.echo(f"\n{answer.text}\n")


def _left_out(comparison: Comparison) -> Iterator[str]:
    """Yield the prompts that were left out, with the variants where they were too long for some."""
    for name in comparison.left_out:
        variants = comparison.too_long_for.get(name, ())
        models = [one.name for one in comparison.variants if one.details.get("prompt_tokens")]
        yield name if set(variants) == set(models) else f"{name} (for {', '.join(variants)})"


def _typed_lines() -> Iterator[str]:
    """Yield the lines typed, with a prompt where a person is typing."""
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()
