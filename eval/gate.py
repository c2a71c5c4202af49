"""Conditions a report must meet, for scripts and continuous integration."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.eval.metrics.metric import Direction
from tuneproof.eval.metrics.registry import METRICS, load_plugins
from tuneproof.eval.stats.equivalence import Kind, equivalence_of, items_needed
from tuneproof.formats.broken import ALL, KindFigure
from tuneproof.formats.figures import Figure, Gain
from tuneproof.formats.report import Report, read_report, report_file

_CONDITION = re.compile(
    r"\s*(?P<metric>\w+)(?P<gain>\.gain)?\s*(?P<sign>>=|<=|>|<)\s*"
    r"(?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*"
)
_MARGIN = re.compile(
    r"\s*(?P<metric>\w+)\s+by\s+(?P<margin>\+?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*"
)
_MARGIN_OF_KIND = re.compile(
    r"\s*(?P<kind>[\w][\w -]*?)\s+by\s+"
    r"(?P<margin>\+?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*"
)
_HOLDS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One condition, what the report says, and whether it holds."""

    condition: str
    figure: Figure
    holds: bool
    remark: str = ""
    """What could decide it, where it is not decided."""

    def __str__(self) -> str:
        """Return one line: PASS or FAIL, the condition, the value, its interval and a remark."""
        low, high = self.figure.low, self.figure.high
        interval = "no interval" if low is None else f"{low:.4g} to {high:.4g}"
        verdict = "PASS" if self.holds else "FAIL"
        return (
            f"{verdict}  {self.condition}  value {self.figure.value:.4g} ({interval}){self.remark}"
        )


def gate(
    path: Path,
    variant: str | None,
    required: Sequence[str],
    no_regression: Sequence[str],
    *,
    not_worse: Sequence[str] = (),
    same: Sequence[str] = (),
    point: bool,
) -> list[Outcome]:
    """Hold a report against conditions.

    Args:
        path: A report.json, or its folder.
        variant: The variant they speak of; by default the only tuned one.
        required: Such as ``accuracy >= 0.8``, ``rougeL.gain > 0`` or ``invalid_rate < 5%``. The
            unfavourable end of the interval must meet them: the lower end for > and >=, the upper
            one for < and <=.
        no_regression: Metrics whose gain's interval may not lie wholly on the bad side of zero
            (the report's own interval, corrected for all its verdicts). Or ``all by
            0.03``: see `_general`.
        not_worse: Such as ``accuracy by 0.02``: the margins by which the variant must be shown not
            to be worse than the base, each by a one-sided test at 1 - confidence of its own.
        same: Likewise, the margins within which it must be shown to be the same.
        point: Judge by the value instead of the interval.

    Raises:
        InputError: No report, a condition cannot be read, or the report has no such metric.
    """
    load_plugins()
    report = read_report(report_file(path))
    name = tuned_variant(report, variant)
    if not any((required, no_regression, not_worse, same)):
        raise InputError("no condition given; type --require 'METRIC >= NUMBER'")
    outcomes = [_required(report, name, text, point=point) for text in required]
    for text in no_regression:
        outcomes += _regression(report, name, text, point=point)
    outcomes += [_within(report, name, "not worse", text, point=point) for text in not_worse]
    return outcomes + [_within(report, name, "same", text, point=point) for text in same]


def tuned_variant(report: Report, name: str | None) -> str:
    """Return the variant that conditions speak of: the named one, or the only tuned one."""
    if name is not None:
        if name not in report.metrics:
            raise unknown("variant", name, report.metrics)
        return name
    if len(report.tuned) != 1:
        listed = ", ".join(report.tuned or report.names)
        number = "several tuned variants" if report.tuned else "no tuned variant"
        raise InputError(f"the report has {number}; say which with --variant NAME: {listed}")
    return report.tuned[0]


def _required(report: Report, variant: str, text: str, *, point: bool) -> Outcome:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InputError(
            f"condition {text!r} cannot be read; write METRIC >= NUMBER or METRIC.gain > NUMBER, "
            "with >=, >, <= or <"
        )
    figure = _figure(report, variant, match["metric"], is_gain=bool(match["gain"]))
    limit = float(match["limit"]) / (100 if match["percent"] else 1)
    end = figure.low if match["sign"].startswith(">") else figure.high
    value = figure.value if point else end
    holds = value is not None and not math.isnan(value) and _HOLDS[match["sign"]](value, limit)
    return Outcome(condition=text.strip(), figure=figure, holds=holds)


def _regression(report: Report, variant: str, text: str, *, point: bool) -> list[Outcome]:
    """Judge a metric, the general items, or one kind of them; a metric's name goes first."""
    margin = _MARGIN_OF_KIND.fullmatch(text)
    what = (margin["kind"] if margin else text).strip()
    is_metric = what in METRICS or what in report.definitions
    if is_metric or (report.broken is None and what != ALL):
        judged = (
            _within(report, variant, "not worse", text, point=point)
            if margin
            else _no_regression(report, variant, what, point=point)
        )
        return [judged]
    if report.broken is None:
        raise InputError(
            "the report says nothing of general items; `infer compare regressions --run RUN`, then "
            "`score report FILE --regressions regressions.json`"
        )
    losses = report.broken.variants.get(variant)
    if losses is None or what not in losses.kinds:
        kinds = losses.kinds if losses else ()
        raise unknown("metric or kind of general items", what, [*METRICS, *kinds])
    limit = float(margin["margin"]) / (100 if margin["percent"] else 1) if margin else None
    named = [what, *(losses.broken if what == ALL else ())]
    alpha = 1 - report.settings.confidence
    return [
        _general(
            losses.kinds[kind], kind, limit if kind == what else None, alpha=alpha, point=point
        )
        for kind in named
    ]


def _general(
    one: KindFigure, kind: str, margin: float | None, *, alpha: float, point: bool
) -> Outcome:
    """Judge general items: not worse by a margin, or, without one, no loss shown."""
    shown = Figure(value=one.change, low=one.one_sided_low, high=one.high)
    if margin is None:
        holds = one.change >= 0 if point else not one.broken
        return Outcome(condition=f"no regression: {kind}", figure=shown, holds=holds)
    low = one.change if point else one.one_sided_low
    holds = low is not None and low > -margin
    needed = items_needed(one.error, one.n, margin=margin, kind="not worse", alpha=alpha)
    remark = ""
    if not holds:
        remark = "; the loss seen is itself beyond the margin"
        if -one.change < margin and needed:
            remark = f"; not shown with {one.n:,} items: no loss at all needs about {needed:,}"
    return Outcome(
        condition=f"no regression: {kind} by {margin:g}", figure=shown, holds=holds, remark=remark
    )


def _no_regression(report: Report, variant: str, metric: str, *, point: bool) -> Outcome:
    figure = _figure(report, variant, metric, is_gain=True)
    direction = _direction(report, metric)
    if direction == "none":
        raise InputError(f"metric {metric!r} has no direction, so it cannot regress")
    end = figure.high if direction == "higher" else figure.low
    good = figure.value if point else end
    if good is None or math.isnan(good):
        holds = False  # without an interval nothing is shown
    else:
        holds = good >= 0 if direction == "higher" else good <= 0
    return Outcome(condition=f"no regression of {metric}", figure=figure, holds=holds)


def _within(report: Report, variant: str, kind: Kind, text: str, *, point: bool) -> Outcome:
    """Judge whether a gain is within a margin, by the ends of one-sided intervals.

    Reports of older versions have none; there the ends of the two-sided interval stand in, which
    are farther out.
    """
    match = _MARGIN.fullmatch(text)
    if match is None or not float(match["margin"]):
        raise InputError(
            f"margin {text!r} cannot be read; write METRIC by NUMBER, such as 'accuracy by 0.02'"
        )
    metric, margin = match["metric"], float(match["margin"]) / (100 if match["percent"] else 1)
    gain = _gain(report, variant, metric)
    direction = _direction(report, metric)
    if direction == "none" and kind == "not worse":
        raise InputError(f"metric {metric!r} has no direction, so it cannot be worse; use --same")
    alpha = 1 - report.settings.confidence
    low = gain.low if gain.one_sided_low is None else gain.one_sided_low
    high = gain.high if gain.one_sided_high is None else gain.one_sided_high
    if point:
        low = high = gain.value
    shown = equivalence_of(
        low, high, gain.error, gain.n, margin=margin, direction=direction, alpha=alpha
    )
    holds = shown.not_worse if kind == "not worse" else shown.same
    beside = f" from {gain.against}" if gain.against else ""
    return Outcome(
        condition=f"{kind}: {metric} by {margin:g}{beside}",
        figure=Figure(value=gain.value, low=low, high=high),
        holds=holds,
        remark="" if holds else _undecided(gain, margin, kind, direction, alpha),
    )


def _undecided(gain: Gain, margin: float, kind: Kind, direction: Direction, alpha: float) -> str:
    """Say what could show it: more items, or nothing where the difference is beyond the margin."""
    loss = -gain.value if direction == "higher" else gain.value
    if (abs(gain.value) if kind == "same" else loss) >= margin:
        return "; the difference seen is itself beyond the margin"
    needed = items_needed(gain.error, gain.n, margin=margin, kind=kind, alpha=alpha)
    if needed is None:
        return ""
    return f"; not shown with {gain.n:,} items: equal variants need about {needed:,}"


def _direction(report: Report, metric: str) -> Direction:
    """Return which way a metric is better; one that was asked for is defined in the report."""
    if metric in METRICS:
        return METRICS[metric].direction
    stated = report.definitions[metric].direction
    return "higher" if stated == "higher" else "lower" if stated == "lower" else "none"


def _gain(report: Report, variant: str, metric: str) -> Gain:
    _figure(report, variant, metric, is_gain=True)
    return report.gains[variant][metric]


def _figure(report: Report, variant: str, metric: str, *, is_gain: bool) -> Figure:
    if is_gain and variant not in report.gains:
        raise InputError(f"{variant!r} is what the others are measured against; it has no gains")
    figures: Mapping[str, Figure] = (report.gains if is_gain else report.metrics)[variant]
    if metric not in figures:
        if reason := report.not_available.get(metric):
            raise InputError(f"metric {metric!r} is not available: {reason}")
        raise unknown("metric", metric, figures)
    return figures[metric]
