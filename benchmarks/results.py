"""Write docs/results.md from reports: `python -m benchmarks.results --machine TEXT NAME=REPORT...`.

NAME is an experiment of `EXPERIMENTS`, REPORT a report.json or its folder, or the folder of a
learning curve (`recipe run NAME --curve 0.25,0.5,1`) to be shown with it. What the page shows of
each is kept in `benchmarks/kept/recipes/results.json`, so that one can be measured anew alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from benchmarks.page import KEPT
from tuneproof.errors import InputError, unknown
from tuneproof.eval.curve import read_curve
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.eval.report.ladder import (
    TITLES,
    AgainstBest,
    against_best,
    headline,
    kind_of,
    over_seeds,
    seed_headline,
    steps,
)
from tuneproof.files import read_json, write_json, write_text
from tuneproof.formats.report import Report, read_report, report_file
from tuneproof.text import duration

FILE = KEPT / "recipes" / "results.json"
"""What the page is made from."""
PAGE = Path(__file__).parent.parent / "docs" / "results.md"
README = Path(__file__).parent.parent / "README.md"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A recipe with the settings that it was run with."""

    title: str
    """What is learned from what."""
    command: str
    """Makes the report again."""


ONCE = " --set tune.num_train_epochs=1 --set runs.lora.seeds=null"
"""One epoch and one seed, which is what two cores allow."""
EVEN = " --set tune.loss_weighting=example"
"""Every example counts the same, which was the default."""
EXPERIMENTS = {
    "topics": Experiment(
        title="Financial tweets into 20 topics, 3,000 to train on",
        command="recipe run twitter-topics --model smollm2 --source twitter-topics=FOLDER "
        "--set prepdata.limit=3000 --set prepdata.test_limit=500 --set runs.head=null "
        "--set tune.per_device_train_batch_size=16 --set tune.num_train_epochs=1",
    ),
    "topics-once": Experiment(
        title="Financial tweets into 20 topics, all there are to train on, one epoch",
        command="recipe run twitter-topics --model smollm2 --source twitter-topics=FOLDER "
        "--set runs.head=null --set runs.named=null --set runs.qlora=null "
        "--set 'compare.merged=[]' --set compare.limit=600 "
        "--set tune.per_device_train_batch_size=16" + ONCE,
    ),
    "topics-all": Experiment(
        title="Financial tweets into 20 topics, all there are to train on",
        command="recipe run twitter-topics --model smollm2 --source twitter-topics=FOLDER "
        "--set runs.head=null --set runs.named=null",
    ),
    "topics-published": Experiment(
        title="Financial tweets into 20 topics, split as published (321 of the 2,000 tweets of "
        "test stand in train too; its labels are drawn in turn)",
        command="recipe run twitter-topics --model smollm2 --source twitter-topics=FOLDER "
        "--set prepdata.duplicates=keep --set runs.head=null --set runs.named=null "
        "--set runs.qlora=null --set runs.lora.seeds=null --set 'compare.merged=[lora]' "
        "--set compare.limit=400 --set tune.per_device_train_batch_size=16 "
        "--set tune.gradient_accumulation_steps=4",
    ),
    "imdb": Experiment(
        title="Film reviews, 1,000 to train on, four ways for equal FLOPs",
        command="recipe run imdb --model smollm2 --source imdb=FOLDER --set prepdata.limit=1000 "
        "--set prepdata.test_limit=200 --set compare.limit=120 --set compare.few_shot=2 "
        "--set tune.per_device_train_batch_size=8 --set tune.max_length=256 "
        "--set tune.num_train_epochs=1",
    ),
    "imdb-4k": Experiment(
        title="Film reviews, 4,000 to train on, three ways for equal FLOPs",
        command="recipe run imdb --model smollm2 --source imdb=FOLDER --set runs.qlora=null "
        "--set compare.limit=400 --set compare.few_shot=2",
    ),
    "imdb-qlora": Experiment(
        title="Film reviews, 4,000 to train on, LoRA and QLoRA with checkpointing for equal FLOPs",
        command="recipe run imdb --model smollm2 --source imdb=FOLDER --set match=null "
        "--set runs.lora=null --set runs.head-only=null --set runs.qlora.num_train_epochs=1 "
        "--set runs.head.max_flops=834104099450880 --set compare.few_shot=0 "
        "--set compare.limit=1000",
    ),
    "imdb-all": Experiment(
        title="Film reviews, all there are to train on, one epoch, 2,000 to ask",
        command="recipe run imdb --model smollm2 --source imdb=FOLDER --set prepdata.limit=null "
        "--set runs.head=null --set runs.qlora=null --set runs.head-only=null --set match=null "
        "--set tune.num_train_epochs=1 --set tune.per_device_train_batch_size=64",
    ),
    "imdb-1k": Experiment(
        title="Film reviews, 1,000 to train on",
        command="recipe run imdb-1k --model smollm2 --source imdb=FOLDER "
        "--set runs.head=null --set tune.num_train_epochs=1 --set compare.few_shot=2 "
        "--set compare.dtype=bfloat16",
    ),
    "complaints": Experiment(
        title="Complaints about banks into two products, 152 to train on",
        command="recipe run complaints --model smollm2 --source complaints=FILE "
        "--set prepdata.allow_fewer=true "
        "--set 'prepdata.where=[product=Mortgage, product=Credit card or prepaid card]'" + EVEN,
    ),
    "dolly-finqa": Experiment(
        title="300 instructions of Dolly and 96 questions of FinQA to train on",
        command="recipe run dolly-finqa --model smollm2 --source dolly=FILE --source finqa=FOLDER "
        "--set prepdata.limit=300 --set runs.qlora=null --set compare.limit=100 "
        "--set compare.max_new_tokens=128 --set tune.per_device_train_batch_size=8" + ONCE,
    ),
    "dolly-finqa-2k": Experiment(
        title="2,000 instructions of Dolly and 96 questions of FinQA to train on",
        command="recipe run dolly-finqa --model smollm2 --source dolly=FILE --source finqa=FOLDER "
        "--set runs.lora.seeds=null --set runs.qlora=null",
    ),
}
"""By name, in the page's order."""
HEAD = """\
# Results with a pretrained model

Written by `python -m benchmarks.results` from the reports of the recipes: SmolLM2-135M-Instruct
(`tune fetch smollm2`), real data, every option on one ladder. The base is asked at its best; the
headline is against the best option without tuning. Intervals are of 95 %; seconds of an answer are
those of the whole comparison, in which all variants share a machine. The columns *trained*, *in*
and *memory* say how many parameters were trained, for how long, and with how much memory at most.
"""
NOT_RUN = """\
## Not run

Larger sizes, reckoned to take a core more than an hour each, which were not run:
"""


@click.command()
@click.argument("reports", nargs=-1, required=True)
@click.option("--machine", required=True, help="What it ran on, such as `2 cores of an EPYC`.")
def main(reports: tuple[str, ...], machine: str) -> None:
    """Take the reports NAME=REPORT into the kept results, and write the page anew."""
    kept = read_json(FILE) if FILE.is_file() else {}
    for text in reports:
        name, _, path = text.partition("=")
        if name not in EXPERIMENTS:
            raise unknown("experiment", name, EXPERIMENTS)
        if not path:
            raise InputError(f"{text}: NAME=REPORT is needed")
        if (curve := Path(path) / "curve.json").is_file():
            if name not in kept:
                raise InputError(f"{text}: its report comes first; the curve stands with it")
            kept[name]["curve"] = f"{read_curve(curve).growth()} On {machine}."
            continue
        result = result_of(read_report(report_file(Path(path))), machine)
        kept[name] = asdict(replace(result, curve=kept.get(name, {}).get("curve")))
    write_json(FILE, {name: kept[name] for name in EXPERIMENTS if name in kept})
    write_text(PAGE, page(kept))
    write_text(README, with_summary(README.read_text(encoding="utf-8"), kept))


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of an experiment."""

    title: str
    """What it is."""
    value: str
    """The primary metric."""
    interval: str
    """Its interval."""
    seconds: float | None
    """Of an answer."""
    trainable: float | None
    """Parameters that were trained; None where nothing was."""
    train_seconds: float | None
    """Of its training, evaluations apart."""
    peak_bytes: float | None
    """Most memory that its training held."""
    others: Mapping[str, str]
    """Other metrics, by title."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a tuning reached, beside the best option without it."""

    run: str
    """The run, or the settings of several."""
    seeds: int
    """How many trainings it is judged by."""
    value: str
    """The primary metric."""
    best: str
    """What the best option without tuning is."""
    best_value: str
    """Its value."""
    difference: str
    """With its interval."""
    verdict: str
    """What may be said."""


@dataclass(frozen=True, kw_only=True)
class ExperimentResult:
    """What the page shows of an experiment."""

    machine: str
    """What it ran on."""
    versions: Mapping[str, str]
    """Of the packages that decide figures."""
    metric: str
    """The primary metric's title."""
    items: int
    """What was asked."""
    gains: Sequence[Gain]
    """Of the settings of several seeds, and of single runs."""
    headlines: Sequence[str]
    """The same in sentences."""
    seen_from: str | None
    """The least difference that so many items could show."""
    options: Sequence[Option]
    """The ladder, the best first."""
    curve: str | None = None
    """What more data would bring, where that was measured."""


def result_of(report: Report, machine: str) -> ExperimentResult:
    """Return what the page shows of a report.

    Raises:
        InputError: It has no primary metric.
    """
    if report.primary is None:
        raise InputError("the report has no primary metric; no ladder can be shown")
    unit, seen = unit_of(report.primary.metric, report.length_unit), report.primary.seen_from
    seeded = {name for seeds in report.seeds for name in seeds.variants}
    single = [
        v.name for v in report.variants if kind_of(report, v) == "run" and v.name not in seeded
    ]
    gains = [_gain(seeds.name, len(seeds.variants), over_seeds(report, seeds), unit)
             for seeds in report.seeds]  # fmt: skip
    pairs = ((name, against_best(report, name)) for name in single)
    gains += [_gain(name, 1, against, unit) for name, against in pairs if against is not None]
    return ExperimentResult(
        machine=machine,
        versions=report.versions,
        metric=METRICS[report.primary.metric].title,
        items=report.counts.items,
        gains=gains,
        headlines=[
            *(seed_headline(report, seeds) for seeds in report.seeds),
            *(headline(report, name) for name in single),
        ],
        seen_from=None if seen is None else wording.change(seen, unit).removeprefix("+"),
        options=[_option(report, step.name, step.title, step.seconds, unit) for step in
                 steps(report)],
    )  # fmt: skip


def _gain(run: str, seeds: int, against: AgainstBest, unit: str) -> Gain:
    return Gain(
        run=run,
        seeds=seeds,
        value=wording.amount(against.value, unit),
        best=TITLES.get(against.best, against.best),
        best_value=wording.amount(against.best_value, unit),
        difference=wording.bounded_change(against.difference, unit),
        verdict=against.verdict,
    )


SHOWN = ("rougeL", "loop_rate", "stop_rate", "numeric_match", "invalid_rate")
"""Metrics that the page shows beside the primary one, where there are values."""


def _option(report: Report, name: str, title: str, seconds: float | None, unit: str) -> Option:
    assert report.primary is not None
    figure = report.metrics[name][report.primary.metric]
    rows = report.compute.rows if report.compute else ()
    cost = next((row for row in rows if row.variant == name and row.kind != "base"), None)
    others = {
        METRICS[metric].title: wording.amount(
            report.metrics[name][metric].value, unit_of(metric, report.length_unit)
        )
        for metric in SHOWN
        if metric in report.metrics[name] and metric != report.primary.metric
    }
    return Option(
        title=title,
        value=wording.amount(figure.value, unit),
        interval=wording.interval(figure.low, figure.high, unit),
        seconds=seconds,
        trainable=cost.trainable if cost else None,
        train_seconds=cost.seconds if cost else None,
        peak_bytes=cost.peak_bytes if cost else None,
        others=others,
    )


def page(kept: Mapping[str, Any]) -> str:
    """Return the page in Markdown of the kept results."""
    parts = [HEAD]
    for name, experiment in EXPERIMENTS.items():
        if name in kept:
            parts.append(section(experiment, kept[name]))
    missing = [one for name, one in EXPERIMENTS.items() if name not in kept]
    if missing:
        commands = [f"# {one.title}\n{one.command}" for one in missing]
        parts.append("\n".join([NOT_RUN, "```", *commands, "```", ""]))
    return "\n".join(parts)


SUMMARY = re.compile(r"(<!-- results -->\n).*?(<!-- end -->\n)", re.DOTALL)
"""Where the table stands in the README."""


def with_summary(text: str, kept: Mapping[str, Any]) -> str:
    """Return a text with the table of the kept results' first runs in its place."""
    return SUMMARY.sub(lambda found: f"{found[1]}{summary(kept)}{found[2]}", text)


def summary(kept: Mapping[str, Any]) -> str:
    """Return a table in Markdown: the first run of every experiment, and the best without it."""
    lines = [
        "| experiment | metric | LoRA | best option without tuning | difference (95 %) | verdict |",
        "|---|---|--:|--:|--:|---|",
    ]
    for name, experiment in EXPERIMENTS.items():
        if name in kept and kept[name]["gains"]:
            gain = kept[name]["gains"][0]
            seeds = f", {gain['seeds']} seeds" if gain["seeds"] > 1 else ""
            lines.append(
                f"| {experiment.title}{seeds} | {kept[name]['metric']} | {gain['value']} "
                f"| {gain['best_value']}, {gain['best']} | {gain['difference']} "
                f"| {gain['verdict']} |"
            )
    return "\n".join([*lines, ""])


def _parameters(count: float) -> str:
    return f"{count / 1e6:.2f} M" if count >= 10_000 else f"{count:,.0f}"


def section(experiment: Experiment, result: Mapping[str, Any]) -> str:
    """Return what was measured in an experiment, in Markdown."""
    titles = list(dict.fromkeys(title for row in result["options"] for title in row["others"]))
    header = [
        result["metric"],
        "interval",
        *titles,
        "seconds per answer",
        "trained",
        "in",
        "memory",
    ]
    lines = [
        f"## {experiment.title}",
        "",
        "```",
        experiment.command,
        "```",
        "",
        *(f"- {sentence}" for sentence in result["headlines"]),
    ]
    if result["seen_from"]:
        lines.append(
            f"- {result['items']:,} items could have shown a difference of {result['seen_from']}."
        )
    if result.get("curve"):
        lines.append(f"- With `--curve 0.25,0.5,1`: {result['curve']}")
    lines += [f"- On {result['machine']}.", "", "| | " + " | ".join(header) + " |"]
    lines.append("|---|" + "--:|" * len(header))
    for row in result["options"]:
        cells = [
            row["value"],
            row["interval"],
            *(row["others"].get(title, "") for title in titles),
            "" if row["seconds"] is None else f"{row['seconds']:.3g}",
            _parameters(row["trainable"]) if row["trainable"] else "",
            "" if not row["train_seconds"] else duration(row["train_seconds"]),
            "" if not row["peak_bytes"] else f"{row['peak_bytes'] / 2**30:.1f} GiB",
        ]
        lines.append(f"| {row['title']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
