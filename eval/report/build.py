"""From comparison files to a report: read, score, analyse, draw, write."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.cost import cost_of
from tuneproof.eval.metrics.registry import metrics_of, unit_of
from tuneproof.eval.report.examples import examples_of
from tuneproof.eval.report.markdown import render_markdown
from tuneproof.eval.report.number_table import number_forms
from tuneproof.eval.report.page import render_page
from tuneproof.eval.report.plots import draw
from tuneproof.eval.report.published import beside_ours
from tuneproof.eval.report.summary import certainty, summarise
from tuneproof.eval.score import Scores, count_answers, score
from tuneproof.eval.stats.estimates import analyse
from tuneproof.files import atomic_write, fingerprint, write_text
from tuneproof.formats.comparison import Comparison, read_comparisons
from tuneproof.formats.report import (
    FILE,
    SCHEMA,
    Definition,
    Published,
    Report,
    Settings,
    Source,
    read_report,
    write_report,
)
from tuneproof.locks import at_work
from tuneproof.plugins import plugin_versions
from tuneproof.stamp import code_fingerprint, versions_of

PLOTS = ("gains", "metrics", "lengths", "item_gains", "label_f1", "reliability")
DRAWN = ("confusion_*.png", "compute_*.png")
"""Plots of which there are as many as there are variants or metrics."""
FILES = (FILE, "report.md", "report.html")
_PACKAGES = ("tuneproof", "sacrebleu", "regex", "numpy", "scipy", "matplotlib")


def report(
    files: Sequence[Path], out: Path, config: ReportConfig, published: Sequence[Published] = ()
) -> Report:
    """Score the comparison files and write report.html, report.md, report.json and the plots.

    Args:
        files: One or more comparison files of the same experiment.
        out: Folder to write into; created when missing.
        config: Settings of the statistics.
        published: Figures of others, to stand beside ours.

    Raises:
        InputError: A file cannot be used, or another process is writing there; nothing is written
            then.
    """
    with at_work(out):
        return _report(files, out, config, published)


def _report(
    files: Sequence[Path], out: Path, config: ReportConfig, published: Sequence[Published]
) -> Report:
    comparison = read_comparisons(files)
    scores = score(comparison)
    built = build(comparison, scores, config, published)
    examples = examples_of(comparison, scores)
    images = draw(built, comparison, scores)
    earlier = {out / f"{name}.png" for name in PLOTS} | {
        path for pattern in DRAWN for path in out.glob(pattern)
    }
    for path in earlier - {out / f"{name}.png" for name in images}:
        path.unlink(missing_ok=True)
    for name, (_, png) in images.items():
        with atomic_write(out / f"{name}.png", "wb") as handle:
            handle.write(png)
    write_text(out / "report.md", render_markdown(built, examples, images))
    write_text(out / "report.html", render_page(built, examples, images))
    write_report(out / FILE, built)  # the last, since it vouches for the others
    return built


def up_to_date_report(
    files: Sequence[Path], out: Path, config: ReportConfig, published: Sequence[Published] = ()
) -> Report | None:
    """Return the report that is there already, where it would come out the same.

    Its files, settings, and the code and versions that made it must be those of today.
    """
    if not all((out / name).is_file() for name in FILES):
        return None
    try:
        earlier = read_report(out / FILE)
    except InputError:
        return None
    today = made_from(files, config, published)
    return (
        earlier
        if earlier.stamp == dataclasses.replace(earlier, schema=SCHEMA, **today).stamp
        else None
    )


def made_from(
    files: Sequence[Path], config: ReportConfig, published: Sequence[Published] = ()
) -> dict[str, Any]:
    """Return the fields of a report that decide all others."""
    return {
        "sources": tuple(Source(file=str(path), sha256=fingerprint(path)) for path in files),
        "settings": Settings(**dataclasses.asdict(config)),
        "beside": tuple(published),
        "versions": {**versions_of(_PACKAGES), **plugin_versions("metrics")},
        "code": code_fingerprint(".", "formats", "eval"),
    }


def build(
    comparison: Comparison,
    scores: Scores,
    config: ReportConfig,
    published: Sequence[Published] = (),
) -> Report:
    """Return the report of a scored comparison."""
    analysis = analyse(comparison, scores, config)
    built = Report(
        **made_from(comparison.sources, config, published),
        base=comparison.base,
        variants=tuple(comparison.by_name.values()),
        labels=comparison.labels,
        counts=count_answers(comparison, scores.units),
        summary={},
        findings=tuple(check_comparison(comparison)),
        **vars(analysis),
        compute=cost_of(comparison, analysis.metrics),
        published=beside_ours(published, analysis.metrics, comparison.by_name),
        numbers=number_forms(comparison),
        not_available=scores.not_available,
        length_unit=scores.length_unit,
        decoding=comparison.decoding,
        template=comparison.template,
        definitions=definitions(comparison, scores.length_unit),
    )
    return dataclasses.replace(
        built,
        summary={variant: summarise(built, variant) for variant in built.gains},
        certainty=certainty(built),
    )


def definitions(comparison: Comparison, length_unit: str) -> dict[str, Definition]:
    """Return what a reader must know of every metric of this kind of task."""
    known = metrics_of(
        with_labels=comparison.labels is not None, with_programs=comparison.has_programs
    )
    return {
        name: Definition(
            title=spec.title,
            direction=spec.direction,
            unit=unit_of(name, length_unit),
            definition=spec.definition,
            empty=spec.empty,
            source=spec.source,
            weakness=spec.weakness,
        )
        for name, spec in known.items()
    }
