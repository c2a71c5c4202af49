"""The report as Markdown: the same figures, and the best and worst answers in full."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.eval.report import wording
from tuneproof.eval.report.examples import clip, confident_mistakes, extremes
from tuneproof.eval.report.page import environment, families, has_programs
from tuneproof.eval.report.summary import nothing_to_compare

EXAMPLES = 5
CLIP_CHARACTERS = 1_500
_Examples = dict[str, list[tuple[str, list[tuple[dict[str, Any], str]]]]]
"""Variant -> parts of a title and its items, each with what to say of it."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def render_markdown(
    report: Mapping[str, Any],
    rows: Sequence[dict[str, Any]],
    images: Mapping[str, tuple[str, bytes]],
) -> str:
    """Return the Markdown text; arguments as in `page.render_page`."""
    if report["labels"] is not None:
        chosen = _mistakes(report, rows)
    else:
        chosen = _gains_and_losses(report, rows)
    made = environment(autoescape=False)
    made.filters |= {"md": escape, "fenced": fenced}
    text = made.get_template("report.md.j2").render(
        report=report,
        families=families(report),
        images={name: description for name, (description, _) in images.items()},
        nothing_to_compare=nothing_to_compare(report),
        has_programs=has_programs(report),
        examples=chosen,
        names=list(report["metrics"]),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _gains_and_losses(report: Mapping[str, Any], rows: Sequence[dict[str, Any]]) -> _Examples:
    """Return, for every tuned variant, its largest gains and largest losses in ROUGE-L."""
    return {
        variant: [
            (title, [(rows[number], _gain(rows[number], index)) for number in numbers])
            for title, numbers in zip(
                ("Largest gains", "Largest losses"),
                extremes(list(rows), index, EXAMPLES),
                strict=True,
            )
        ]
        for index, variant in enumerate(report["gains"])
    }


def _gain(row: Mapping[str, Any], index: int) -> str:
    return f"ROUGE-L {wording.change(row['gains'][index], 'score')}"


def _mistakes(report: Mapping[str, Any], rows: Sequence[dict[str, Any]]) -> _Examples:
    """Return, for every tuned variant, the wrong labels it was surest of."""
    chosen: _Examples = {}
    for index, variant in enumerate(report["metrics"]):
        if variant in report["gains"]:
            numbers = confident_mistakes(list(rows), index, EXAMPLES)
            mistakes = [(rows[n], _mistake(rows[n]["answers"][index])) for n in numbers]
            chosen[variant] = [("Most confident mistakes", mistakes)]
    return chosen


def _mistake(answer: Mapping[str, Any]) -> str:
    return f"{escape(answer['label'])} with {wording.amount(answer['confidence'], 'share')}"


def escape(text: object) -> str:
    """Make a short text from outside plain in a Markdown sentence or table cell, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def fenced(text: str) -> str:
    """Put a text into a code block whose fence is longer than any run of backticks in it."""
    shown = clip(text, CLIP_CHARACTERS)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"
