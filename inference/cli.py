"""The `infer` command."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneproof import ranks
from tuneproof.errors import TYPED, Group, InputError
from tuneproof.formats.regressions import NAME
from tuneproof.inference.config import CompareConfig, ModelsConfig, RegressionsConfig
from tuneproof.launch import is_to_launch, launch
from tuneproof.options import options_from, resolve

if TYPE_CHECKING:
    from tuneproof.formats.comparison import Comparison
    from tuneproof.inference.chat import Talk


@click.group(cls=Group)
def main() -> None:
    """Ask a base model and its tuned runs the same questions, in the same way."""


@main.command()
@click.argument("prompts", type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="YAML of the options below.")
@click.option(
    "--num-processes", type=int,
    help="Answer in so many processes on this machine, each on a GPU of its own (or a share of the "
    "cores) and a share of the prompts; the answers are the same.",
)  # fmt: skip
@options_from(CompareConfig)
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    prompts: Path,
    config: Path | None,
    num_processes: int | None,
    **typed: Any,
) -> None:
    """Answer PROMPTS (.json or .jsonl) by base, runs, adapters, models and servers.

    Writes model_comparison.json. `regressions` for PROMPTS asks general items instead, which come
    with the package, writes regressions.json, and says what the tuning broke.
    """
    if str(prompts) == NAME:
        if num_processes not in (None, 1):
            raise InputError(f"--num-processes {num_processes}: {NAME} are asked in one process")
        click.echo(_regressions(resolve(RegressionsConfig, typed, config)))
        return
    settings = resolve(CompareConfig, typed, config)
    if settings.must_work is not None:
        raise InputError(f"--must-work stands beside `infer compare {NAME}` only")
    if is_to_launch(num_processes):
        launch("tuneproof.inference", ctx.meta[TYPED], num_processes, settings.device)
        return
    from tuneproof.inference.compare import compare as compare_file

    try:
        comparison = compare_file(prompts, settings)
    except KeyboardInterrupt:
        if ranks.is_main():
            click.echo("stopped; the same command goes on from here", err=True)
        raise
    if not ranks.is_main():
        return
    items, variants = len(comparison.items), len(comparison.variants)
    click.echo(f"{items} prompts x {variants} variants: {settings.out}")
    if comparison.left_out:
        click.echo(f"left out as too long: {', '.join(_left_out(comparison))}", err=True)
    from tuneproof.eval.checks.comparison import lines_of

    for line in lines_of(settings.out):
        click.echo(line, err=True)
    click.echo(f"next: score report {settings.out}")


def _regressions(settings: RegressionsConfig) -> str:
    """Ask for regressions, note them in the cards of the runs, and return what was found."""
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.regressions import broken_table
    from tuneproof.inference.regressions import compare_regressions, note_broken

    regressions = compare_regressions(settings)
    if regressions.left_out:
        click.echo(f"left out as too long: {', '.join(regressions.left_out)}", err=True)
    broken = note_broken(settings, ReportConfig())
    return f"{broken_table(broken)}\n\nnext: score report FILE --regressions {settings.out}"


@main.command()
@options_from(ModelsConfig)
def chat(**typed: Any) -> None:
    """Talk to base and tuned models at once.

    Each answers in the template that it was made for and remembers its own answers. /reset starts
    anew, Ctrl-D ends.
    """
    settings = resolve(ModelsConfig, typed)
    from tuneproof.inference.chat import talks_of

    talks = talks_of(settings)
    for talk in talks:
        if not talk.speaker.streams:
            click.echo(f"{talk.speaker.name} shows an answer when it is whole", err=True)
    for number, line in enumerate(_typed_lines()):
        for talk in talks:
            if line == "/reset":
                talk.reset()
            else:
                _say(talk, line, settings.seed + number)
        if line == "/reset":
            click.echo("begun anew", err=True)


def _say(talk: Talk, line: str, seed: int) -> None:
    """Print the answer to a line as it comes."""
    from tuneproof.inference.endpoint import Refused

    click.secho(talk.speaker.name, bold=True)
    try:
        reply = talk.ask(line, seed, lambda piece: click.echo(piece, nl=False))
    except Refused as error:
        click.echo(f"{talk.speaker.name}: no answer: {error}", err=True)
        return
    if reply is None:
        click.echo(f"{talk.speaker.name}: that is longer than it can be asked", err=True)
        return
    click.echo("\n" if reply.finish_reason != "length" else " (did not stop)\n")
    if reply.dropped_turns:
        said = f"the first {reply.dropped_turns} messages did not fit any more"
        click.echo(f"{talk.speaker.name}: {said}", err=True)


def _left_out(comparison: Comparison) -> Iterator[str]:
    """Yield the prompts that were left out, with the variants where they were too long for some."""
    for name in comparison.left_out:
        variants = comparison.too_long_for.get(name, ())
        models = [one.name for one in comparison.variants if one.details.get("prompt_tokens")]
        yield name if set(variants) == set(models) else f"{name} (for {', '.join(variants)})"


def _typed_lines() -> Iterator[str]:
    """Yield the lines typed, with a prompt where a person is typing."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()
