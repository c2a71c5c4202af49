"""Conditions a report must meet, for scripts and continuous integration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.files import read_json

REPORT_SCHEMA = "tuneproof/report@1"
_CONDITION = re.compile(
    r"\s*(?P<metric>\w+)(?P<gain>\.gain)?\s*(?P<sign>>=|<=|>|<)\s*"
    r"(?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*"
)
_HOLDS = {
    ">=": lambda value, limit: value >= limit,
    ">": lambda value, limit: value > limit,
    "<=": lambda value, limit: value <= limit,
    "<": lambda value, limit: value < limit,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One condition, what the report says, and whether it holds."""

    condition: str
    cell: Mapping[str, Any]
    """Value and interval, as in report.json."""
    holds: bool

    def __str__(self) -> str:
        """Return one line: PASS or FAIL, the condition, the value and its interval."""
        low, high = self.cell["low"], self.cell["high"]
        interval = "no interval" if low is None else f"{low:.4g} to {high:.4g}"
        verdict = "PASS" if self.holds else "FAIL"
        return f"{verdict}  {self.condition}  value {self.cell['value']:.4g} ({interval})"


def read_report(path: Path) -> tuple[Path, dict[str, Any]]:
    """Read a report.json, or the one in a folder; return where it was and what it holds."""
    file = path / "report.json" if path.is_dir() else path
    report = read_json(file)
    if not isinstance(report, dict) or report.get("schema") != REPORT_SCHEMA:
        raise InputError(f"{file}: not a report; `score report` writes report.json")
    for gains in report["gains"].values():
        if any("p_holm" not in gain for gain in gains.values()):
            raise InputError(f"{file}: made by an older version; run `score report` again")
    return file, report


def tuned_variant(report: Mapping[str, Any], name: str | None) -> str:
    """Return the variant that conditions speak of: the named one, or the only tuned one."""
    tuned: list[str] = list(report["gains"])
    if name is not None:
        if name not in report["metrics"]:
            raise unknown("variant", name, report["metrics"])
        return name
    if len(tuned) != 1:
        listed = ", ".join(tuned or report["metrics"])
        found = "several tuned variants" if tuned else "no tuned variant"
        raise InputError(f"the report has {found}; say which with --variant NAME: {listed}")
    return tuned[0]


def check(
    report: Mapping[str, Any],
    variant: str,
    required: Sequence[str],
    no_regression: Sequence[str],
    *,
    point: bool,
) -> list[Outcome]:
    """Hold a report against conditions.

    Args:
        report: What report.json holds.
        variant: The variant they speak of.
        required: Such as ``accuracy >= 0.8``, ``rougeL.gain > 0`` or ``invalid_rate < 5%``. The
            unfavourable end of the interval must meet them: the lower end for > and >=, the upper
            one for < and <=.
        no_regression: Metrics whose gain's interval may not lie wholly on the bad side of zero
            (no correction for several verdicts: a gate rather stops once too often).
        point: Judge by the value instead of the interval.

    Raises:
        InputError: A condition cannot be read, or the report has no such metric.
    """
    if not required and not no_regression:
        raise InputError("no condition given; type --require 'METRIC >= NUMBER'")
    outcomes = [_required(report, variant, text, point=point) for text in required]
    return outcomes + [_no_regression(report, variant, m, point=point) for m in no_regression]


def _required(report: Mapping[str, Any], variant: str, text: str, *, point: bool) -> Outcome:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InputError(
            f"condition {text!r} cannot be read; write METRIC >= NUMBER or METRIC.gain > NUMBER, "
            "with >=, >, <= or <"
        )
    cell = _cell(report, variant, match["metric"], is_gain=bool(match["gain"]))
    limit = float(match["limit"]) / (100 if match["percent"] else 1)
    end = "low" if match["sign"].startswith(">") else "high"
    value = cell["value"] if point else cell[end]
    holds = value is not None and not math.isnan(value) and _HOLDS[match["sign"]](value, limit)
    return Outcome(condition=text.strip(), cell=cell, holds=holds)


def _no_regression(report: Mapping[str, Any], variant: str, metric: str, *, point: bool) -> Outcome:
    cell = _cell(report, variant, metric, is_gain=True)
    direction = METRICS[metric].direction
    if direction == "none":
        raise InputError(f"metric {metric!r} has no direction, so it cannot regress")
    good = (cell["value"] if point else cell["high" if direction == "higher" else "low"]) or 0.0
    holds = good >= 0 if direction == "higher" else good <= 0
    return Outcome(condition=f"no regression of {metric}", cell=cell, holds=holds)


def _cell(
    report: Mapping[str, Any], variant: str, metric: str, *, is_gain: bool
) -> Mapping[str, Any]:
    if is_gain and variant not in report["gains"]:
        raise InputError(f"{variant!r} is what the others are measured against; it has no gains")
    cells: Mapping[str, Any] = report["gains" if is_gain else "metrics"][variant]
    if metric not in cells:
        reason = report["not_available"].get(metric)
        if reason:
            raise InputError(f"metric {metric!r} is not available: {reason}")
        raise unknown("metric", metric, cells)
    return cells[metric]  # type: ignore[no-any-return]
