"""The report as one HTML file that loads nothing and runs only its own script.

Model output is text from outside. Jinja escapes what it writes, the embedded JSON cannot close its
element, the script builds text nodes only, and the policy in the page admits no other script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.eval.cost import NOTE
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import published, wording
from tuneproof.eval.report.examples import telling_first
from tuneproof.eval.report.number_table import SAMPLES
from tuneproof.eval.report.summary import nothing_to_compare, unit_of

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


def render_page(
    report: Mapping[str, Any],
    rows: Sequence[dict[str, Any]],
    images: Mapping[str, tuple[str, bytes]],
    budget: int = EMBEDDED_BYTES,
) -> str:
    """Return the page, with at most `budget` bytes of items in it.

    `report` is the content of report.json, `rows` comes from `examples.records`, `images` from
    `plots.draw`.
    """
    style, script = (FOLDER / "report.css.j2").read_text(), (FOLDER / "report.js.j2").read_text()
    kept = chosen_items(rows, budget)
    data = {
        "names": list(report["metrics"]),
        "tuned": list(report["gains"]),
        "tasks": list(report["tasks"]),
        "lengthUnit": report["length_unit"],
        "labels": report["labels"] is not None,
        "items": kept,
    }
    return (
        environment(autoescape=True)
        .get_template("report.html.j2")
        .render(
            report=report,
            style=style,
            script=script,
            policy=_policy(style, script),
            data=embeddable_json(data),
            kept=len(kept),
            families=families(report),
            images={
                name: (description, "data:image/png;base64," + base64.b64encode(png).decode())
                for name, (description, png) in images.items()
            },
            nothing_to_compare=nothing_to_compare(report),
            has_programs=has_programs(report),
            has_gains=any(gain is not None for row in kept for gain in row["gains"]),
        )
    )


def chosen_items(rows: Sequence[dict[str, Any]], budget: int) -> list[dict[str, Any]]:
    """Return the items that fit into the budget, the most telling first chosen, in file order."""
    sizes = [len(embeddable_json(row)) for row in rows]
    if sum(sizes) <= budget:
        return list(rows)
    kept, used = set(), 0
    for index in telling_first(list(rows)):
        if used + sizes[index] > budget:
            break
        used += sizes[index]
        kept.add(index)
    return [row for index, row in enumerate(rows) if index in kept]


def embeddable_json(value: Any) -> str:
    """Return JSON in ASCII that is safe inside a script element: no <, > or & at all."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def families(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the scored metrics in the families the tables show."""
    scored = [m for m in METRICS if any(m in cells for cells in report["metrics"].values())]
    parts: dict[str, list[str]] = {title: [] for title in _FAMILIES}
    for metric in scored:
        needs = set(METRICS[metric].needs)
        title = next(title for title, marks in _FAMILIES.items() if not marks or needs & marks)
        parts[title].append(metric)
    return [(title, names) for title, names in parts.items() if names]


def has_programs(report: Mapping[str, Any]) -> bool:
    """Say whether the samples of numbers have the executed answer of a program beside them."""
    return any(s["executed"] is not None for form in report["numbers"] for s in form["samples"])


def scored_rows(report: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return metric -> how many items it scored and left out, and what it could not have seen."""
    rows = []
    for metric in METRICS:
        cells = [found.get(metric) for found in report["metrics"].values()]
        first = next(filter(None, cells), None)
        if first is None:
            continue
        unit = unit_of(metric, report["length_unit"])
        gains = [found.get(metric) for found in report["gains"].values()]
        seen = [
            wording.change(gain["mde"], unit).removeprefix("+")
            for gain in gains
            if gain and gain["mde"] is not None
        ]
        empty = [None if cell is None else cell["empty"] for cell in cells]
        rows.append((metric, {**first, "empty": empty, "mde": ", ".join(seen)}))
    return rows


def coded(text: str) -> str:
    """Return an escaped text whose parts in backticks are HTML code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@lru_cache(maxsize=2)
def environment(*, autoescape: bool) -> jinja2.Environment:
    """Return the Jinja environment of the report templates, with the wording as filters."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters |= {
        "amount": wording.amount,
        "change": wording.change,
        "coded": coded,
        "counted": wording.counted,
        "duration": wording.duration,
        "large": wording.large,
        "p_value": wording.p_value,
    }
    made.globals |= {
        "number_samples": SAMPLES,
        "interval": wording.interval,
        "metrics": METRICS,
        "note_on_compute": NOTE,
        "remark_on_published": published.REMARK,
        "scored_rows": scored_rows,
        "unit_of": unit_of,
    }
    return made


def _policy(style: str, script: str) -> str:
    """Return a content security policy that admits this style and this script and data images."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; "
        f"script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )
