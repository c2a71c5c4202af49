"""The report as Markdown: the same figures, and the best and worst answers in full."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.eval.report.examples import (
    ShownItem,
    clip,
    confident_mistakes,
    extremes,
    ranking_metric,
)
from tuneproof.eval.report.page import environment
from tuneproof.formats.report import Report

EXAMPLES = 5
CLIP_CHARACTERS = 1_500
_Examples = list[tuple[str, list[tuple[ShownItem, str]]]]
"""Parts of a title and its items, each with a remark."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def render_markdown(
    report: Report, items: Sequence[ShownItem], images: Mapping[str, tuple[str, bytes]]
) -> str:
    """Return the Markdown text; arguments as in `page.render_page`."""
    metric = ranking_metric(report)
    if report.labels is not None:
        examples = {name: _mistakes(report, items, name) for name in report.tuned}
    elif metric is None:
        examples = {}
    else:
        examples = {
            name: _extremes(items, index, METRICS[metric].title)
            for index, name in enumerate(report.tuned)
        }
    env = environment(autoescape=False)
    env.filters |= {"md": escape, "fenced": fenced}
    text = env.get_template("report.md.j2").render(
        report=report,
        images={name: description for name, (description, _) in images.items()},
        ranked_by=metric and METRICS[metric].title,
        examples=examples,
        names=report.names,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _extremes(items: Sequence[ShownItem], variant: int, metric: str) -> _Examples:
    """Return the largest gains and losses of a tuned variant in the metric of that title."""
    titles = ("Largest gains", "Largest losses")
    parts = extremes(items, variant, EXAMPLES)
    return [
        (
            title,
            [
                (item, f"{metric} {wording.change(item.gains[variant] or 0.0, 'score')}")
                for item in chosen
            ],
        )
        for title, chosen in zip(titles, parts, strict=True)
    ]


def _mistakes(report: Report, items: Sequence[ShownItem], variant: str) -> _Examples:
    """Return the wrong labels that a tuned variant was most confident of."""
    index = report.names.index(variant)
    shown = [item.answers[index].label for item in items]
    if not any(label and label.confidence is not None for label in shown):
        return []
    remarks = [
        (item, f"{escape(label.label)} with {wording.amount(label.confidence or 0.0, 'share')}")
        for item, label in confident_mistakes(items, index, EXAMPLES)
    ]
    return [("Most confident mistakes", remarks)]


def escape(text: object) -> str:
    """Make a short text from outside plain in a Markdown sentence or table cell, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def fenced(text: str) -> str:
    """Put a text into a code block whose fence is longer than any run of backticks in it."""
    shown = clip(text, CLIP_CHARACTERS)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"
