"""How many items show a difference, from the spread of a pilot."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.gate import tuned_variant
from tuneproof.eval.metrics.asked import is_asked, metric_of, with_asked
from tuneproof.eval.report import wording
from tuneproof.eval.stats.equivalence import items_needed
from tuneproof.eval.stats.power import items_to_detect, smallest_seen
from tuneproof.eval.stats.verdicts import POWER
from tuneproof.files import read_json
from tuneproof.formats.codec import has_schema
from tuneproof.formats.figures import Gain
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.report import SCHEMA, Definition, read_report, report_file

FEW = 10
"""Units below which the spread of a pilot is hardly known."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a pilot says of the next comparison."""

    variant: str
    """The tuned variant whose spread is used."""
    metric: str
    """The metric, tested first."""
    title: str
    """What the metric is called."""
    unit: str
    """The unit of its values."""
    pilot_items: int
    """Items of the pilot."""
    pilot_units: int
    """Units of them."""
    spread: float
    """Standard deviation of one item's difference, as far as items are independent."""
    detect: float
    """The difference that is to be seen."""
    items: int
    """Items with which it is called in 80 % of samples."""
    same: int
    """Items with which two equal variants are called the same within it in 80 % of samples."""
    seen: float
    """The difference that as many items as the pilot's see in 80 % of samples."""

    def __str__(self) -> str:
        """Return the plan in words."""
        unit, title = self.unit, self.title
        size = wording.change(self.detect, unit).removeprefix("+")
        pilot = wording.counted(self.pilot_items, "item")
        if self.pilot_units < self.pilot_items:
            pilot += f" in {wording.counted(self.pilot_units, 'unit')}"
        lines = [
            f"{self.items:,} items show a difference of {size} in {title} ({100 * POWER:.0f} % "
            "power, as the primary metric)",
            f"{self.same:,} items show that two equal variants differ by less than {size}",
            f"from a pilot of {pilot}, {self.variant} against the base: the difference of one item "
            f"has a standard deviation of {wording.amount(self.spread, unit)}",
            f"the pilot itself could have seen {wording.change(self.seen, unit).removeprefix('+')}",
        ]
        if self.pilot_units < FEW:
            units = wording.counted(self.pilot_units, "unit")
            lines.append(f"careful: from {units} the spread is hardly known")
        return "\n".join(lines)


def plan(
    path: Path, metric: str | None, detect: float, variant: str | None, config: ReportConfig
) -> Plan:
    """Return how many items it takes to see a difference.

    Args:
        path: A pilot: a comparison file, a report.json, or its folder.
        metric: The metric, or one to add as `--metric` of a report does; by default the pilot's
            primary one.
        detect: The difference that is to be seen, in the units of the metric.
        variant: The tuned variant; by default the only one.
        config: Settings of the statistics.

    Raises:
        InputError: The file cannot be used, or no difference of the pilot is known.
    """
    if detect <= 0:
        raise InputError(f"--detect must be above 0, got {detect}")
    pilot = path
    if metric is not None and is_asked(metric):
        config = replace(config, metric=(*config.metric, metric))
        metric = metric_of(metric)[0]
    if path.is_dir() or has_schema(read_json(path), SCHEMA):
        known = read_report(report_file(path))
        for option in fields(ReportConfig):
            typed, taken = (getattr(one, option.name) for one in (config, known.settings))
            is_free = option.name in ("metric", "confidence")
            if not is_free and typed not in (option.default, taken):
                raise InputError(
                    f"{pilot} is a report, whose figures are there already; for "
                    f"--{option.name.replace('_', '-')} give the comparison file"
                )
    else:
        from tuneproof.eval.report.build import build
        from tuneproof.eval.score import score

        comparison = read_comparisons([path])
        with with_asked(config.metric):
            known = build(comparison, score(comparison), config)
    confidence = config.confidence
    if confidence == ReportConfig.confidence:  # none was typed, so that a report's own holds
        confidence = known.settings.confidence
    name = tuned_variant(known, variant)
    primary = known.primary.metric if known.primary else None
    chosen = metric or primary
    if chosen is None:
        raise InputError(f"{pilot}: no primary metric; name one with --metric")
    gain = known.gains.get(name, {}).get(chosen)
    if gain is None:
        raise unknown("metric", chosen, known.gains.get(name, {}))
    if not gain.error or gain.units < 2:
        raise InputError(
            f"{pilot}: {name} and the base do not differ in {chosen}, or it is a report of an "
            "older version; give a pilot in which they differ"
        )
    definition = known.definitions[chosen]
    return _planned(name, chosen, gain, detect, 1 - confidence, definition)


def _planned(
    name: str, metric: str, gain: Gain, detect: float, alpha: float, definition: Definition
) -> Plan:
    error = gain.error or 0.0
    return Plan(
        variant=name,
        metric=metric,
        title=definition.title,
        unit=definition.unit,
        pilot_items=gain.n,
        pilot_units=gain.units,
        spread=error * gain.n**0.5,
        detect=detect,
        items=items_to_detect(error, gain.n, detect=detect, alpha=alpha),
        same=items_needed(error, gain.n, margin=detect, kind="same", alpha=alpha) or 0,
        seen=smallest_seen(error, gain.n, alpha=alpha),
    )
