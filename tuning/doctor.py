"""`tune doctor`: gathers the checks over data, a run and a comparison; what is given decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.eval.checks.broken import check_regressions
from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.finding import Finding, finding, quoted, worst_first
from tuneproof.formats.comparison import Comparison, read_comparison
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example
from tuneproof.formats.run import Run, read_run
from tuneproof.models import load as models
from tuneproof.prepdata.checks.data import (
    END_MARKS,
    check_data,
    check_end_marks,
    check_lengths,
    check_near,
    check_prompts,
)
from tuneproof.prepdata.checks.labels import check_swapped
from tuneproof.prompts import template as templates
from tuneproof.tuning.checks.advice import RUN
from tuneproof.tuning.checks.encoding import check_encoding
from tuneproof.tuning.checks.loaded import check_loaded
from tuneproof.tuning.checks.run import check_run
from tuneproof.tuning.checks.template import check_base, check_template
from tuneproof.tuning.config import TuneConfig

BASES = {"base-changed", "base-missing", "adapter-wrong-base", "weights-changed"}
"""Codes that say what loading the run would only say again."""

SAID_BY = {"too-few-items": "few-test-items"}
"""Code of a comparison -> the code over the data that has said the same already."""


def examine(
    *,
    data: Path | None = None,
    model: str | None = None,
    run: Path | None = None,
    comparison: Path | None = None,
    regressions: Path | None = None,
) -> list[Finding]:
    """Return what is wrong, errors first.

    Args:
        data: A data folder.
        model: Whose tokenizer tells which records do not fit; by default that of the run.
        run: A run's folder; the run is loaded where it is finished.
        comparison: A comparison file, looked at alone and beside data and run.
        regressions: What `infer compare regressions` wrote: what the tuning broke.

    Raises:
        InputError: Nothing was given, or something that cannot be read.
    """
    if data is None and run is None and comparison is None and regressions is None:
        raise InputError("nothing to look at; give --data, --run, --comparison or --regressions")
    opened = None if run is None else read_run(run)
    folder = None if data is None else DataFolder(data)
    compared = None if comparison is None else read_comparison(comparison)
    all_findings = list(_examine(folder, model, opened, compared))
    all_findings += check_regressions(regressions) if regressions is not None else ()
    findings = worst_first(all_findings)
    codes = {one.code for one in findings}
    return [one for one in findings if SAID_BY.get(one.code) not in codes]


def _examine(
    folder: DataFolder | None, model: str | None, run: Run | None, compared: Comparison | None
) -> Iterator[Finding]:
    tokenizer = _tokenizer(model, run)
    if folder is not None:
        yield from check_data(folder)
        yield from check_near(folder)
        yield from check_swapped(folder, _labels_by_words)
        if tokenizer is not None:
            yield from _fits(folder, tokenizer, model, run)
    if run is not None:
        findings = list(check_run(run))
        yield from findings
        records = _trained_on(run, folder)
        if records is not None and tokenizer is not None:
            yield from check_encoding(run, records.train, tokenizer)
        if tokenizer is not None:
            yield from check_template(run, tokenizer)
        if run.state == "finished" and not BASES & {one.code for one in findings}:
            yield from check_loaded(run, compared)
    if compared is not None:
        yield from check_comparison(compared)
        yield from check_base(compared)
        if run is not None:
            yield from _beside_run(compared, run)
        beside = folder or (_trained_on(run, None) if run is not None else None)
        if beside is not None:
            yield from check_prompts(beside, compared.items, str(compared.sources[0]))


def _tokenizer(model: str | None, run: Run | None) -> Any:
    """Return the tokenizer of the named model or of the run's base, or None without either.

    Raises:
        InputError: The named model has none; a run's missing base is a finding instead.
    """
    if model is not None:
        return models.load_tokenizer(model)
    if run is None:
        return None
    try:
        return models.load_tokenizer(run.base.model, purpose="classify")
    except InputError:
        return None


def _context(model: str | None, run: Run | None) -> int | None:
    """Return how many tokens a model reads, from its config alone."""
    from transformers import AutoConfig

    named = model or (run.base.model if run is not None else "")
    config = AutoConfig.from_pretrained(models.location(named), trust_remote_code=False)
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def _fits(
    folder: DataFolder, tokenizer: Any, model: str | None, run: Run | None
) -> Iterator[Finding]:
    """Check lengths and end marks as the run's settings have it, otherwise as the defaults."""
    own = [mark for mark in tokenizer.all_special_tokens if mark not in END_MARKS]
    yield from check_end_marks(folder, own)
    chat = models.chat_template(model) if model else None
    template, max_length = templates.load(templates.AUTO, chat), TuneConfig.max_length
    if run is not None:
        if run.template is None:  # texts are read as they are, from their beginning
            return
        template, max_length = run.template, run.max_length
    yield from check_lengths(folder, template, tokenizer, max_length, _context(model, run))


def _trained_on(run: Run, folder: DataFolder | None) -> DataFolder | None:
    """Return the run's data, where it is still there."""
    if folder is not None:
        return folder
    folder = DataFolder(Path(run.data.folder))
    try:
        return folder if folder.train else None
    except InputError:
        return None


def _labels_by_words(
    train: Sequence[Example], test: Sequence[Example], labels: Sequence[str]
) -> list[str]:
    """Return what TF-IDF and logistic regression, trained on `train`, say of `test`."""
    from tuneproof.inference.baselines import pick_label, predict

    learned, texts = ([record.text for record in part] for part in (train, test))
    chances = predict("tf-idf", learned, [record.output for record in train], texts, labels)
    return [pick_label(row, text) for row, text in zip(chances, texts, strict=True)]


def _beside_run(comparison: Comparison, run: Run) -> Iterator[Finding]:
    """Yield where a comparison was asked otherwise, or of another base, than the run was trained.

    Nothing is said where the comparison does not hold the run.
    """
    variant = next((one for one in comparison.variants if one.name == run.name), None)
    if variant is None:
        return
    template = run.template
    asked = variant.template or comparison.template
    if template is not None and asked and asked != template.text:
        yield finding(
            RUN,
            "run-template-differs",
            f"{run.name} was trained with {quoted(template.text)} and asked with {quoted(asked)}",
            run=run.name,
        )
    model, base = variant.model, run.base.model
    if model and model != base:
        yield finding(
            RUN,
            "comparison-of-other-base",
            f"{run.name} was trained on {base}, the comparison says {model}",
            run=run.name,
        )
