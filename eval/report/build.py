"""From comparison files to a report: read, score, analyse, draw, write."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.eval.checks.broken import check_broken
from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.cost import cost_of
from tuneproof.eval.judging.figures import judge_figures, vote_figures
from tuneproof.eval.metrics.asked import files_of, with_asked
from tuneproof.eval.metrics.registry import metrics_of, unit_of
from tuneproof.eval.regressions import read_broken
from tuneproof.eval.report.ballot import ballots_of
from tuneproof.eval.report.examples import examples_of, ranking_metric
from tuneproof.eval.report.markdown import render_markdown
from tuneproof.eval.report.number_table import number_forms
from tuneproof.eval.report.page import render_page
from tuneproof.eval.report.plots import draw
from tuneproof.eval.report.published import beside_ours
from tuneproof.eval.report.summary import certainty, summarise
from tuneproof.eval.score import Scores, count_answers, score
from tuneproof.eval.stats.estimates import analyse
from tuneproof.files import existing_file, fingerprint, replacing_files, write_text
from tuneproof.finding import worst_first
from tuneproof.formats.broken import Broken
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.judgements import Judgements, read_judgements
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
from tuneproof.formats.votes import Votes, read_all_votes
from tuneproof.locks import at_work
from tuneproof.plugins import plugin_versions
from tuneproof.stamp import code_fingerprint, versions_of

PLOTS = ("gains", "metrics", "lengths", "item_gains", "label_f1", "reliability")
DRAWN = ("confusion_*.png", "compute_*.png")
"""Plots of which there are as many as there are variants or metrics."""
FILES = (FILE, "report.md", "report.html")
_PACKAGES = ("tuneproof", "sacrebleu", "regex", "numpy", "scipy", "matplotlib")


def report_folder(files: Sequence[Path]) -> Path:
    """Return where the report of comparison files goes where nobody says so."""
    return Path("reports") / "+".join(path.stem for path in files)


def report(
    files: Sequence[Path],
    out: Path,
    config: ReportConfig,
    published: Sequence[Published] = (),
    regressions: Sequence[Path] = (),
    *,
    votes: Sequence[Path] = (),
    judgements: Sequence[Path] = (),
) -> Report:
    """Score the comparison files and write report.html, report.md, report.json and the plots.

    Args:
        files: One or more comparison files of the same experiment.
        out: Folder to write into; created when missing.
        config: Settings of the statistics.
        published: Figures of others, to stand beside ours.
        regressions: What `infer compare regressions` and `score external` wrote of the same runs.
        votes: Files that the page exported, one per person.
        judgements: Files that `score judge` wrote.

    Raises:
        InputError: A file cannot be used, or another process is writing there; nothing is written
            then.
    """
    with at_work(out), with_asked(config.metric):
        comparison = read_comparisons(files)
        scores = score(comparison)
        heard = Heard(
            votes=read_all_votes(votes),
            judgements=tuple(map(read_judgements, judgements)),
            regressions=tuple(regressions),
            broken=read_broken(regressions, config) if regressions else None,
        )
        return _written(
            comparison, scores, build(comparison, scores, config, published, heard), out
        )


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What is known of the variants beside the answers that are scored."""

    votes: tuple[Votes, ...] = ()
    """What people said, one per person."""
    judgements: tuple[Judgements, ...] = ()
    """What judges said, one per judge."""
    regressions: tuple[Path, ...] = ()
    """The files of answers to general items."""
    broken: Broken | None = None
    """What these show."""

    @property
    def sources(self) -> list[Path]:
        """The files that votes and judgements were read from."""
        named = [*(one.source for one in self.votes), *(one.source for one in self.judgements)]
        return [source for source in named if source is not None]


def _written(comparison: Comparison, scores: Scores, built: Report, out: Path) -> Report:
    examples = examples_of(comparison, scores, ranking_metric(built))
    images = draw(built, comparison, scores)
    earlier = {out / f"{name}.png" for name in PLOTS} | {
        path for pattern in DRAWN for path in out.glob(pattern)
    }
    with replacing_files(out, FILE) as new:
        for name, (_, png) in images.items():
            (new / f"{name}.png").write_bytes(png)
        write_text(new / "report.md", render_markdown(built, examples, images))
        write_text(
            new / "report.html",
            render_page(built, examples, images, ballots=ballots_of(comparison, built)),
        )
        write_report(new / FILE, built)
    for path in earlier - {out / f"{name}.png" for name in images}:
        path.unlink(missing_ok=True)
    return built


def up_to_date_report(
    files: Sequence[Path],
    out: Path,
    config: ReportConfig,
    published: Sequence[Published] = (),
    regressions: Sequence[Path] = (),
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
    today = made_from(files, config, published, regressions=regressions)
    return (
        earlier
        if earlier.stamp == dataclasses.replace(earlier, schema=SCHEMA, **today).stamp
        else None
    )


def made_from(
    files: Sequence[Path],
    config: ReportConfig,
    published: Sequence[Published] = (),
    heard: Sequence[Path] = (),
    regressions: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return the fields of a report that decide all others."""
    return {
        "sources": tuple(map(_source, files)),
        "beside_files": tuple(map(_source, (*heard, *files_of(config.metric)))),
        "regression_sources": tuple(map(_source, regressions)),
        "settings": Settings(**dataclasses.asdict(config)),
        "beside": tuple(published),
        "versions": {**versions_of(_PACKAGES), **plugin_versions("metrics")},
        "code": code_fingerprint(".", "formats", "eval"),
    }


def _source(path: Path) -> Source:
    return Source(file=str(path), sha256=fingerprint(existing_file(path)))


def build(
    comparison: Comparison,
    scores: Scores,
    config: ReportConfig,
    published: Sequence[Published] = (),
    heard: Heard | None = None,
) -> Report:
    """Return the report of a scored comparison."""
    heard = heard or Heard()
    broken = heard.broken
    analysis = analyse(comparison, scores, config)
    findings = [*check_comparison(comparison), *(check_broken(broken) if broken else ())]
    built = Report(
        **made_from(comparison.sources, config, published, heard.sources, heard.regressions),
        broken=broken,
        base=comparison.base,
        variants=tuple(comparison.by_name.values()),
        labels=comparison.labels,
        counts=count_answers(comparison, scores.units),
        summary={},
        findings=tuple(worst_first(findings)),
        **vars(analysis),
        compute=cost_of(comparison, analysis.metrics),
        published=beside_ours(published, analysis.metrics, comparison.by_name),
        votes=vote_figures(comparison, scores.units, heard.votes, config.confidence),
        judges=tuple(
            judge_figures(comparison, scores.units, one, heard.votes, config.confidence)
            for one in heard.judgements
        ),
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
