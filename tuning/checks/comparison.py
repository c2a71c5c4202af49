"""A comparison beside the run and the data it was made from."""

from __future__ import annotations

from collections.abc import Iterator

from tuneproof.finding import Finding, finding, quoted
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.run import Run
from tuneproof.prepdata.checks.data import check_prompts
from tuneproof.tuning.checks.advice import RUN


def check_beside_run(comparison: Comparison, run: Run) -> Iterator[Finding]:
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


def check_beside_data(comparison: Comparison, folder: DataFolder) -> Iterator[Finding]:
    """Yield prompts of a comparison that are training records."""
    yield from check_prompts(folder, comparison.items, str(comparison.sources[0]))
