"""All checks of a comparison, for the report, `infer compare` and `tune doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tuneproof.eval.checks.answers import check_answers
from tuneproof.eval.checks.conditions import check_conditions
from tuneproof.eval.checks.content import check_content
from tuneproof.eval.checks.items import check_items
from tuneproof.eval.checks.labels import check_labels
from tuneproof.eval.checks.pairing import check_pairing
from tuneproof.eval.checks.variants import check_variants
from tuneproof.finding import Finding, finding_lines, worst_first
from tuneproof.formats.comparison import Comparison, read_comparison
from tuneproof.plugins import checks_of

Check = Callable[[Comparison], Iterable[Finding]]
CHECKS: tuple[Check, ...] = (
    check_items, check_pairing, check_conditions, check_variants, check_answers, check_content,
    check_labels,
)  # fmt: skip
"""To add a check, add its function here; its findings are sorted by how bad they are."""


def check_comparison(comparison: Comparison) -> list[Finding]:
    """Return what is wrong with a comparison, errors first; it needs no model."""
    own = (part for check in CHECKS for part in check(comparison))
    findings = worst_first([*own, *checks_of("comparison", comparison)])
    others = [
        variant.name
        for variant in comparison.variants
        if "method" not in variant.details and variant.adapter is None
    ]
    return [_without_runs(finding, others) for finding in findings]


def _without_runs(finding: Finding, names: Sequence[str]) -> Finding:
    """Return a finding whose commands name no run that there is not.

    Args:
        finding: The finding.
        names: Variants that nothing in the file says are runs, as those of a plain list.
    """
    mend = finding.mend
    for name in names:
        mend = mend.replace(f"--run {name}`", "--run RUN`").replace(f"--run {name} ", "--run RUN ")
    return replace(finding, mend=mend)


def lines_of(file: Path) -> list[str]:
    """Return the warnings and errors over a comparison file, as lines for a terminal.

    Raises:
        InputError: The file is no comparison.
    """
    return finding_lines(check_comparison(read_comparison(file)), notes=False)
