"""From comparison files to a report: read, score, analyse, draw, write."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.cost import compute
from tuneproof.eval.metrics.registry import metrics_of
from tuneproof.eval.report.examples import records
from tuneproof.eval.report.markdown import render_markdown
from tuneproof.eval.report.number_table import how_read
from tuneproof.eval.report.page import render_page
from tuneproof.eval.report.plots import draw
from tuneproof.eval.report.published import Published, beside_ours
from tuneproof.eval.report.story import paragraph
from tuneproof.eval.report.summary import certainty, summarise, unit_of
from tuneproof.eval.score import Scores, count_answers, group_numbers, score
from tuneproof.eval.stats.estimates import analyse
from tuneproof.files import atomic_write, fingerprint, read_json, write_json, write_text
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.comparison_file import read_comparisons
from tuneproof.stamp import code_fingerprint, versions_of

SCHEMA = "tuneproof/report@1"
PLOTS = ("gains", "metrics", "lengths", "item_gains", "label_f1", "reliability")
DRAWN = ("confusion_*.png", "compute_*.png")
"""Plots of which there are as many as there are variants or metrics."""
FILES = ("report.json", "report.md", "report.html")
_PACKAGES = ("tuneproof", "rouge-score", "numpy", "scipy", "matplotlib")


def report(
    files: Sequence[Path], out: Path, config: ReportConfig, published: Sequence[Published] = ()
) -> dict[str, Any]:
    """Score the comparison files and write report.html, report.md, report.json and the plots.

    Args:
        files: One or more comparison files of the same experiment.
        out: Folder to write into; created when missing.
        config: Settings of the statistics.
        published: Figures of others, to stand beside ours.

    Returns:
        What report.json holds.

    Raises:
        InputError: A file cannot be used; nothing is written then.
    """
    comparison = read_comparisons(files)
    scores = score(comparison)
    found = build(comparison, scores, config, published)
    rows = records(comparison, scores)
    images = draw(found, comparison, scores)
    earlier = {out / f"{name}.png" for name in PLOTS} | {
        path for pattern in DRAWN for path in out.glob(pattern)
    }
    for path in earlier - {out / f"{name}.png" for name in images}:
        path.unlink(missing_ok=True)
    for name, (_, png) in images.items():
        with atomic_write(out / f"{name}.png", "wb") as handle:
            handle.write(png)
    write_text(out / "report.md", render_markdown(found, rows, images))
    write_text(out / "report.html", render_page(found, rows, images))
    write_json(out / "report.json", found)  # the last, since it vouches for the others
    return found


def standing(
    files: Sequence[Path], out: Path, config: ReportConfig, published: Sequence[Published] = ()
) -> dict[str, Any] | None:
    """Return what report.json holds where the report is there and would come out the same.

    Its files, settings, and the code and versions that made it must be those of today.
    """
    if not all((out / name).is_file() for name in FILES):
        return None
    try:
        found = read_json(out / "report.json")
    except InputError:
        return None
    if not isinstance(found, dict):
        return None
    today = made_from(files, config, published)
    return found if {name: found.get(name) for name in today} == today else None


def made_from(
    files: Sequence[Path], config: ReportConfig, published: Sequence[Published] = ()
) -> dict[str, Any]:
    """Return all that decides what a report says, as report.json has it."""
    return {
        "schema": SCHEMA,
        "sources": [{"file": str(path), "sha256": fingerprint(path)} for path in files],
        "settings": dataclasses.asdict(config),
        "beside": [dataclasses.asdict(figure) for figure in published],
        "versions": versions_of(_PACKAGES),
        "code": code_fingerprint(".", "formats", "eval"),
    }


def build(
    comparison: Comparison,
    scores: Scores,
    config: ReportConfig,
    published: Sequence[Published] = (),
) -> dict[str, Any]:
    """Return the content of report.json."""
    found = analyse(comparison, scores, config)
    groups = group_numbers(comparison.items)
    counts = count_answers(comparison)
    counts["groups"] = 0 if groups is None else int(groups.max()) + 1
    result: dict[str, Any] = {
        **made_from(comparison.sources, config, published),
        "base": comparison.base,
        "variants": [
            {"name": variant.name, **variant.details}
            for name in comparison.names
            for variant in comparison.variants
            if variant.name == name
        ],
        "labels": None if comparison.labels is None else list(comparison.labels),
        "counts": counts,
        "summary": summarise(found, comparison, config.confidence),
        "findings": [finding.as_row() for finding in check_comparison(comparison)],
        **found,
        "compute": compute(comparison, found["metrics"]),
        "published": beside_ours(
            published,
            found["metrics"],
            {variant.name: variant.details.get("model") for variant in comparison.variants},
        ),
        "numbers": how_read(comparison),
        "not_available": scores.not_available,
        "length_unit": scores.length_unit,
        "decoding": comparison.decoding,
        "template": comparison.template,
        "definitions": definitions(comparison, scores.length_unit),
    }
    for variant, summary in result["summary"].items():
        summary["paragraph"] = paragraph(result, variant)
    return {**result, "certainty": certainty(result)}


def definitions(comparison: Comparison, length_unit: str) -> dict[str, dict[str, str]]:
    """Return what a reader must know of every metric of this kind of task."""
    known = metrics_of(
        with_labels=comparison.labels is not None, with_programs=comparison.has_programs
    )
    return {
        name: {
            "title": spec.title,
            "direction": spec.direction,
            "unit": unit_of(name, length_unit),
            "definition": spec.definition,
            "empty": spec.empty,
            "source": spec.source,
            "weakness": spec.weakness,
        }
        for name, spec in known.items()
    }
