"""The report as Markdown: the same figures, and the best and worst answers in full."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from eval.examples import clip, extremes
from eval.page import environment, families

EXAMPLES = 5
CLIP_CHARACTERS = 1_500
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def render_markdown(
    report: Mapping[str, Any],
    rows: Sequence[dict[str, Any]],
    images: Mapping[str, tuple[str, bytes]],
) -> str:
    """Return the Markdown text; arguments as in `page.render_page`."""
    chosen = {
        variant: [
            (title, [(rows[number], rows[number]["gains"][index]) for number in numbers])
            for title, numbers in zip(
                ("Largest gains", "Largest losses"),
                extremes(list(rows), index, EXAMPLES),
                strict=True,
            )
        ]
        for index, variant in enumerate(report["gains"])
    }
    made = environment(autoescape=False)
    made.filters |= {"md": escape, "fenced": fenced}
    text = made.get_template("report.md.j2").render(
        report=report,
        families=families(report),
        images={name: description for name, (description, _) in images.items()},
        examples=chosen,
        names=list(report["metrics"]),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def escape(text: object) -> str:
    """Make a short text from outside plain in a Markdown sentence or table cell, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def fenced(text: str) -> str:
    """Put a text into a code block whose fence is longer than any run of backticks in it."""
    shown = clip(text, CLIP_CHARACTERS)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"
