"""The report as one HTML file that loads nothing and runs only its own script.

Model output is text from outside. Jinja escapes what it writes, the embedded JSON cannot close its
element, the script builds text nodes only, and the policy in the page admits no other script.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof import web_page
from tuneproof.eval.cost import NOTE
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.regressions import verdict_of
from tuneproof.eval.report import judging, published, wording
from tuneproof.eval.report.ballot import Ballot, shown_ballots, to_vote_on
from tuneproof.eval.report.examples import ShownItem, ranking_metric, telling_first
from tuneproof.eval.report.ladder import seed_headline, steps
from tuneproof.eval.report.number_table import SAMPLES
from tuneproof.eval.report.summary import nothing_to_compare
from tuneproof.formats.figures import MetricFigure
from tuneproof.formats.report import Report
from tuneproof.text import duration, one_line
from tuneproof.web_page import embeddable_json

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent
EMBEDDED_BYTES = 9_000_000
"""Most bytes of items in one page; beyond it the most telling items are kept."""
_FAMILIES: dict[str, set[str]] = {
    "Scored label": {"label", "hits"},
    "Probability of the label": {"label_probabilities", "gaps"},
    "Generated label": {"labels"},
    "Against the reference": {"reference"},
    "Form of the answer": set(),
}
"""Family -> columns of which a metric in it reads one; the first that fits counts."""


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """How many items a metric scored, and the smallest gain that it could detect."""

    first: MetricFigure
    """The figure of the first variant that has it."""
    empty: tuple[int | None, ...]
    """Empty answers by variant."""
    mde: str
    """The smallest gain it could detect, by tuned variant."""


def render_page(
    report: Report,
    items: Sequence[ShownItem],
    images: Mapping[str, tuple[str, bytes]],
    budget: int = EMBEDDED_BYTES,
    *,
    ballots: Sequence[Ballot] = (),
) -> str:
    """Return the page, with at most `budget` bytes of items in it.

    `items` comes from `examples.examples_of`, `images` from `plots.draw`, `ballots` from
    `ballot.ballots_of`.
    """
    metric = ranking_metric(report)
    style, script = web_page.style() + _both("css"), page_script()
    first = to_vote_on(items, ballots)
    telling = [*first, *(index for index in telling_first(items) if index not in first)]
    kept = chosen_items([item.as_row() for item in items], telling, budget)
    ballots = shown_ballots(ballots, {row["id"] for row in kept})
    data = {
        "names": report.names,
        "tuned": report.tuned,
        "tasks": list(report.tasks),
        "lengthUnit": report.length_unit,
        "labels": report.labels is not None,
        "rankedBy": metric and METRICS[metric].title,
        "items": kept,
        "ballots": [dataclasses.asdict(ballot) for ballot in ballots],
    }
    return (
        environment(autoescape=True)
        .get_template("report.html.j2")
        .render(
            report=report,
            style=style,
            script=script,
            policy=web_page.policy(style, script),
            data=embeddable_json(data),
            kept=len(kept),
            ballots=ballots,
            images={
                name: (description, "data:image/png;base64," + base64.b64encode(png).decode())
                for name, (description, png) in images.items()
            },
            has_gains=any(gain is not None for row in kept for gain in row["gains"]),
        )
    )


def page_script() -> str:
    """Return what a report page runs."""
    return _both("js")


def _both(kind: str) -> str:
    """Return the style sheet or script of the report, with that of its ballots."""
    return "".join(
        (FOLDER / f"{name}.{kind}.j2").read_text(encoding="utf-8") for name in ("report", "ballot")
    )


def chosen_items(
    rows: Sequence[dict[str, Any]], telling: Sequence[int], budget: int
) -> list[dict[str, Any]]:
    """Return the items that fit into the budget, the most telling first chosen, in file order."""
    sizes = [len(embeddable_json(row)) for row in rows]
    if sum(sizes) <= budget:
        return list(rows)
    kept, used = set(), 0
    for index in telling:
        if used + sizes[index] > budget:
            break
        used += sizes[index]
        kept.add(index)
    return [row for index, row in enumerate(rows) if index in kept]


def families(report: Report) -> list[tuple[str, list[str]]]:
    """Return the scored metrics in the families the tables show."""
    scored = [m for m in METRICS if any(m in figures for figures in report.metrics.values())]
    parts: dict[str, list[str]] = {title: [] for title in _FAMILIES}
    for metric in scored:
        needs = set(METRICS[metric].needs)
        title = next(title for title, marks in _FAMILIES.items() if not marks or needs & marks)
        parts[title].append(metric)
    return [(title, names) for title, names in parts.items() if names]


def has_programs(report: Report) -> bool:
    """Return whether any sample of a number has the executed answer of a program."""
    return any(s.executed is not None for form in report.numbers for s in form.samples)


def scored_rows(report: Report) -> list[tuple[str, ScoredRow]]:
    """Return a row for every metric that has values."""
    rows = []
    for metric in METRICS:
        figures = [known.get(metric) for known in report.metrics.values()]
        first = next(filter(None, figures), None)
        if first is None:
            continue
        unit = unit_of(metric, report.length_unit)
        gains = [known[metric] for known in report.gains.values() if metric in known]
        detectable = [
            wording.change(gain.mde, unit).removeprefix("+")
            for gain in gains
            if gain.mde is not None
        ]
        empty = tuple(None if figure is None else figure.empty for figure in figures)
        rows.append((metric, ScoredRow(first=first, empty=empty, mde=", ".join(detectable))))
    return rows


def coded(text: str) -> str:
    """Return an escaped text whose parts in backticks are HTML code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@lru_cache(maxsize=2)
def environment(*, autoescape: bool) -> jinja2.Environment:
    """Return the Jinja environment of the report templates, with the wording as filters."""
    import jinja2

    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    env.filters |= {
        "amount": wording.amount,
        "bounded": wording.bounded,
        "bounded_change": wording.bounded_change,
        "change": wording.change,
        "clip": one_line,
        "coded": coded,
        "counted": wording.counted,
        "duration": duration,
        "large": wording.large,
        "p_value": wording.p_value,
    }
    env.globals |= {
        "arrows": {"higher": "↑", "lower": "↓", "none": ""},
        "families": families,
        "has_programs": has_programs,
        "judge_rows": judging.judge_rows,
        "judge_sentence": judging.judge_sentence,
        "vote_rows": judging.vote_rows,
        "vote_sentence": judging.vote_sentence,
        "nothing_to_compare": nothing_to_compare,
        "number_samples": SAMPLES,
        "interval": wording.interval,
        "metrics": METRICS,
        "note_on_compute": NOTE,
        "remark_on_published": published.REMARK,
        "scored_rows": scored_rows,
        "seed_headline": seed_headline,
        "steps": steps,
        "unit_of": unit_of,
        "verdict_of": verdict_of,
    }
    return env
