"""From tested differences to verdicts: one family of tests per report, corrected by Holm.

Every difference that can be called better or worse, of every variant, of all items and of each
task, is one family: where nothing changed, the chance that the report says better or worse even
once is at most alpha. Metrics without a direction (length) are a family of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.eval.stats.bootstrap import Estimate
from tuneproof.eval.stats.corrections import holm
from tuneproof.eval.stats.power import detectable, fewest_differing

Place = tuple[str, str, str]
"""Task (empty for all items), variant, metric."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """A paired difference before it is judged."""

    estimate: Estimate
    p: float


def judge(
    tested: Mapping[Place, PairedTest], alpha: float, length_unit: str
) -> dict[Place, dict[str, Any]]:
    """Return what report.json says of every difference."""
    found: dict[Place, dict[str, Any]] = {}
    for is_judged in (True, False):
        family = {
            place: one
            for place, one in tested.items()
            if (METRICS[place[2]].direction != "none") == is_judged
        }
        corrected = holm([one.p for one in family.values()])
        for (place, one), p_holm in zip(family.items(), corrected, strict=True):
            found[place] = gain(one, p_holm, place[2], alpha, len(family), length_unit)
    return {place: found[place] for place in tested}


def gain(
    one: PairedTest, p_holm: float, metric: str, alpha: float, family: int, length_unit: str
) -> dict[str, Any]:
    """Return value, interval, p-values, what could not be seen, verdict and sentence."""
    spec, seen = METRICS[metric], one.estimate
    unit = length_unit if metric == "length" else spec.unit
    fewest = fewest_differing(alpha, family)
    judged = {
        "value": seen.value,
        "low": seen.low,
        "high": seen.high,
        "p": one.p,
        "p_holm": p_holm,
        "n": seen.n,
        "differing": seen.differing,
        "fewest_differing": fewest,
        "mde": detectable(seen, alpha=alpha, family=family),
        "verdict": wording.verdict(seen.low, seen.high, p_holm, alpha, spec.direction),
    }
    judged["warning"] = warning(judged)
    return {**judged, "sentence": wording.sentence(spec.title, unit, judged)}


def warning(judged: Mapping[str, Any]) -> str | None:
    """Say that too few items differ for any verdict, or None."""
    differing, fewest = judged["differing"], judged["fewest_differing"]
    if differing >= fewest:
        return None
    return f"too few items that differ: {differing}, and no fewer than {fewest} can give a verdict"
