"""A run's page: curves, samples, settings, cost, in one file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tuneproof import web_page
from tuneproof.files import write_text
from tuneproof.formats.run import Run
from tuneproof.formats.samples import FILE as SAMPLES
from tuneproof.formats.samples import SampleAnswer, read_samples
from tuneproof.formats.training_log import read_metrics
from tuneproof.svg import Curve, curves
from tuneproof.text import duration
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.runs import recorded

FILE = "index.html"
TEMPLATE = Path(__file__).parent / "page.html.j2"
SMOOTHED = 20
"""The training loss is drawn as it was logged, and as a mean of up to so many logs around each."""
SHOWN_STEPS = 12
"""Most answers to one prompt that stand on the page, evenly spread over the training."""
ENDS = {
    "budget": "its budget was spent",
    "early-stopping": "evaluations became no better",
    "steps": "all planned steps were taken",
}
"""How a training ended, in words."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A figure at the top of the page."""

    name: str
    """What it is."""
    value: str
    """The figure with its unit."""
    remark: str = ""
    """What stands under it."""


def write_page(run: Run) -> Path:
    """Write a run's page from its facts, metrics.jsonl and samples.jsonl; return its path.

    Raises:
        InputError: One of them cannot be read.
    """
    page, samples = run.folder / FILE, run.folder / SAMPLES
    write_text(page, render(run, read_metrics(run.metrics), read_samples(samples)))
    return page


def render(run: Run, log: Sequence[Mapping[str, Any]], samples: Sequence[SampleAnswer]) -> str:
    """Return the page.

    Args:
        run: The run as it is now; it may have no result yet.
        log: The lines of its metrics.jsonl.
        samples: Its answers at the evaluations.
    """
    changed, others = settings_of(run)
    return web_page.render(
        TEMPLATE,
        run=run,
        facts=facts(run),
        charts=charts(log, "example" if run.is_classifier else "trained token"),
        evaluations=[row for row in log if "eval_loss" in row],
        samples=by_prompt(samples),
        changed=changed,
        others=others,
        end=ENDS.get(run.ended_by or ""),
    )


def facts(run: Run) -> list[Fact]:
    """Return the figures at the top: losses, time, speed, memory, size."""
    parts = [
        Fact(
            name="trained parameters",
            value=f"{run.parameters.trainable:,}",
            remark=f"{run.parameters.trainable / max(1, run.parameters.total):.2%} of "
            f"{run.parameters.total:,}",
        )
    ]
    result = run.result
    if result is None:
        return parts
    if result.best_validation_loss is not None:
        right = result.best_validation_accuracy
        parts.append(
            Fact(
                name="validation loss",
                value=f"{result.best_validation_loss:.3f}",
                remark=f"best, at step {result.best_step:,}"
                + ("" if right is None else f"; {right:.1%} right"),
            )
        )
    if result.first_loss is not None and result.last_loss is not None:
        first = f"from {result.first_loss:.3f}"
        parts.append(Fact(name="training loss", value=f"{result.last_loss:.3f}", remark=first))
    parts.append(
        Fact(
            name="time",
            value=duration(result.wall_seconds),
            remark=f"{result.steps:,} steps, {result.epochs:.3g} epochs",
        )
    )
    if run.speed is not None:
        share = f"{run.speed.share_of_limit:.0%} of what matrix products allow"
        rate = f"{run.speed.tokens_per_second:,.0f}"
        parts.append(Fact(name="tokens per second", value=rate, remark=share))
    elif result.train_seconds:
        rate = f"{result.tokens_seen / result.train_seconds:,.0f}"
        parts.append(Fact(name="tokens per second", value=rate))
    parts.append(
        Fact(name="memory", value=_gib(result.peak_memory_bytes), remark="most that it held")
    )
    if result.peak_gpu_memory_bytes is not None:
        parts.append(
            Fact(name="GPU memory", value=_gib(result.peak_gpu_memory_bytes), remark="at most")
        )
    return parts


def charts(log: Sequence[Mapping[str, Any]], of: str = "trained token") -> list[str]:
    """Return the curves as SVG: losses, right answers, speed, learning rate; those there are.

    Args:
        log: The lines of metrics.jsonl.
        of: What a loss is the mean of.
    """
    steps = "optimizer steps"
    losses = _points(log, "loss")
    made = [
        curves(
            f"Loss (nats per {of})",
            steps,
            [
                Curve(name="", points=losses, is_faint=True),
                Curve(name="training", points=smoothed(losses)),
                Curve(
                    name="validation",
                    points=_points(log, "eval_loss"),
                    colour="second",
                    has_marks=True,
                ),
            ],
        ),
        curves(
            "Right validation answers (share)",
            steps,
            [
                Curve(
                    name="validation",
                    points=_points(log, "eval_accuracy"),
                    colour="second",
                    has_marks=True,
                )
            ],
        ),
        curves("Tokens per second", steps, [Curve(name="", points=speeds(log))]),
        curves("Learning rate", steps, [Curve(name="", points=_points(log, "learning_rate"))]),
    ]
    return [chart for chart in made if chart]


def speeds(log: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Return tokens per second of the steps between two logs, by step; evaluations apart."""
    rows = [row for row in log if {"loss", "num_tokens", "train_seconds"} <= row.keys()]
    points = [
        (
            float(now["step"]),
            (now["num_tokens"] - before["num_tokens"])
            / (now["train_seconds"] - before["train_seconds"]),
        )
        for before, now in pairwise(rows)
        if now["train_seconds"] > before["train_seconds"]
    ]
    return smoothed(points)


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return each point with the mean of those around it: a tenth of all, `SMOOTHED` at most."""
    reach = min(SMOOTHED, len(points) // 10) // 2
    means = []
    for index, (x, _) in enumerate(points):
        around = [y for _, y in points[max(0, index - reach) : index + reach + 1]]
        means.append((x, sum(around) / len(around)))
    return means


def by_prompt(samples: Sequence[SampleAnswer]) -> list[list[SampleAnswer]]:
    """Return the answers to each prompt in their order, no more than `SHOWN_STEPS` of each."""
    prompts: dict[str, list[SampleAnswer]] = {}
    for sample in samples:
        prompts.setdefault(sample.id, []).append(sample)
    return [_spread(answers) for answers in prompts.values()]


def settings_of(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that differ from the defaults, and all others."""
    plain = recorded(TuneConfig())
    changed = {name: value for name, value in run.config.items() if value != plain.get(name, ...)}
    others = {name: value for name, value in run.config.items() if name not in changed}
    return changed, others


def _points(log: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(float(row["step"]), float(row[name])) for row in log if name in row]


def _spread(answers: Sequence[SampleAnswer]) -> list[SampleAnswer]:
    """Return a few of the answers, evenly spread, the first and the last among them."""
    last = len(answers) - 1
    count = min(SHOWN_STEPS, len(answers))
    chosen = {round(number * last / max(1, count - 1)) for number in range(count)}
    return [answers[index] for index in sorted(chosen)]


def _gib(count: int) -> str:
    return f"{count / 2**30:.2g} GiB"
