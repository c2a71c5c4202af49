"""All checks of a comparison, for the report, `infer compare` and `tune doctor`."""

from __future__ import annotations

from pathlib import Path

from tuneproof.eval.checks.answers import check_answers
from tuneproof.eval.checks.conditions import check_conditions
from tuneproof.eval.checks.labels import check_labels
from tuneproof.finding import Finding, finding_lines, worst_first
from tuneproof.formats.comparison import Comparison, read_comparison


def check_comparison(comparison: Comparison) -> list[Finding]:
    """Return what is wrong with a comparison, errors first; it needs no model."""
    return worst_first(
        [*check_conditions(comparison), *check_answers(comparison), *check_labels(comparison)]
    )


def lines_of(file: Path) -> list[str]:
    """Return the warnings and errors over a comparison file, as lines for a terminal.

    Raises:
        InputError: The file is no comparison.
    """
    return finding_lines(check_comparison(read_comparison(file)), notes=False)
