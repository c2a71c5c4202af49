"""What a tuning broke of what its base could do, as a finding with remedies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.regressions import read_broken
from tuneproof.finding import Finding, finding
from tuneproof.formats.broken import ALL, Broken, Losses


def check_regressions(file: Path) -> list[Finding]:
    """Return what the tuned variants of a file of regressions broke.

    Raises:
        InputError: The file holds no regressions.
    """
    return list(check_broken(read_broken([file], ReportConfig())))


def check_broken(broken: Broken) -> Iterator[Finding]:
    """Yield what every tuned variant broke, with what can be done."""
    for variant, losses in broken.variants.items():
        if losses.breaks_any:
            yield finding(
                COMPARISON, "broke-general-skills", f"{variant}: {_evidence(losses)}", run=variant
            )


def _evidence(losses: Losses) -> str:
    """Say of which kinds how much was lost."""
    named = losses.broken or (ALL,)
    parts = [
        f"{kind} {100 * losses.kinds[kind].base:.0f} to {100 * losses.kinds[kind].tuned:.0f} %"
        for kind in named
    ]
    return f"{', '.join(parts)} ({losses.kinds[ALL].n:,} general items)"
