"""The verdict in one paragraph: what changed, how sure, at what cost, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from tuneproof.eval.metrics.registry import METRICS, Unit
from tuneproof.eval.report import wording

TOLD = 4
"""Most metrics of one verdict that the paragraph names with their sizes."""
PRIMARY = ("rougeL", "accuracy", "free_accuracy", "stop_rate")
"""The metric that speaks for what the sample could see: the first of these that there is."""


def paragraph(report: Mapping[str, Any], variant: str) -> str:
    """Return the verdict on a tuned variant in short sentences; `report` as in report.json."""
    summary = report["summary"][variant]
    gains: Mapping[str, Any] = report["gains"][variant]
    judged = {name: gain for name, gain in gains.items() if METRICS[name].direction != "none"}
    unit_of = {name: METRICS[name].unit for name in judged}
    parts = [
        summary["headline"],
        _told(judged, unit_of, "better"),
        _told(judged, unit_of, "worse"),
        _sure(judged, report["settings"]["confidence"]),
        _cost(report["variants"], variant),
        f"{summary['baselines']}." if summary["baselines"] else "",
        _unseen(judged, unit_of, report["counts"]),
        _next(judged, unit_of, summary["beats_all"], report["counts"]["items"]),
    ]
    return " ".join(filter(None, parts))


def _told(judged: Mapping[str, Any], unit_of: Mapping[str, Unit], verdict: str) -> str:
    """Say by how much metrics got better or worse, those first that matter first."""
    names = [name for name, gain in judged.items() if gain["verdict"] == verdict]
    if not names:
        return ""
    told = [
        f"{METRICS[name].title} {wording.change(judged[name]['value'], unit_of[name])} "
        f"({_interval(judged[name], unit_of[name])})"
        for name in names[:TOLD]
    ]
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return f"{verdict.capitalize()}: {', '.join(told)}{more}."


def _interval(gain: Mapping[str, Any], unit: str) -> str:
    return wording.interval(gain["low"], gain["high"], unit)


def _sure(judged: Mapping[str, Any], confidence: float) -> str:
    called = [g["p_holm"] for g in judged.values() if g["verdict"] in ("better", "worse")]
    few = sum(gain["warning"] is not None for gain in judged.values())
    text = ""
    if called:
        text = (
            f"If nothing had changed, {_at_most(1 - confidence)} such reports would say better or "
            f"worse even once; the least sure of these verdicts has a corrected p of "
            f"{wording.p_value(max(called))}."
        )
    if few:
        which = "any metric" if few == len(judged) else wording.counted(few, "metric")
        text += f"{' ' if text else ''}Too few items differ for a verdict on {which}."
    return text


def _at_most(alpha: float) -> str:
    return f"at most {100 * alpha:.3g} in 100"


def _cost(variants: Sequence[Mapping[str, Any]], name: str) -> str:
    """Say what training cost, as far as the comparison file knows."""
    details = next((row for row in variants if row["name"] == name), {})
    parts = []
    parameters = details.get("parameters")
    if isinstance(parameters, Mapping) and parameters.get("trainable"):
        trained, total = parameters["trainable"], parameters.get("total")
        of = f" of {total:,} parameters ({100 * trained / total:.3g} %)" if total else " parameters"
        parts.append(f"changed {trained:,}{of}")
    seconds, memory = details.get("training_seconds"), details.get("peak_memory_bytes")
    if isinstance(seconds, int | float):
        parts.append(f"took {seconds / 60:.1f} minutes")
    if isinstance(memory, int | float):
        parts.append(f"needed at most {memory / 2**30:.1f} GiB of memory")
    return f"Training {wording.listed(parts)}." if parts else ""


def _unseen(
    judged: Mapping[str, Any], unit_of: Mapping[str, Unit], counts: Mapping[str, Any]
) -> str:
    """Say which difference the sample was too small for."""
    name = next((n for n in PRIMARY if n in judged and judged[n]["mde"] is not None), None)
    if name is None:
        return ""
    gain, unit = judged[name], unit_of[name]
    scored = wording.counted(gain["n"], "item")
    grouped = f" in {wording.counted(counts['groups'], 'group')}" if counts["groups"] else ""
    title = METRICS[name].title
    if gain["mde"] > 1:
        return f"With {scored}{grouped} no difference in {title} could be counted on to be seen."
    size = wording.change(gain["mde"], unit).removeprefix("+")
    return (
        f"With {scored}{grouped}, more than 1 in 5 such samples would miss a difference in "
        f"{title} below {size}."
    )


def _next(
    judged: Mapping[str, Any], unit_of: Mapping[str, Unit], beats_all: bool | None, items: int
) -> str:
    """Say what to do now."""
    verdicts = {gain["verdict"] for gain in judged.values()}
    if beats_all is False:
        return "Next: more data or training; until then a baseline that costs nothing does as well."
    if "worse" in verdicts:
        return "Next: read the worst regressions in report.html before it is used."
    if "better" in verdicts:
        return "Next: read some answers, and ask prompts from elsewhere."
    name = next((n for n in PRIMARY if n in judged and judged[n]["mde"]), None)
    if name is None or not judged[name]["value"]:
        return "Next: check that the adapter was used, and train longer."
    needed = ceil(items * (judged[name]["mde"] / abs(judged[name]["value"])) ** 2)
    if needed > 100 * items:
        return "Next: train longer or on other data; more prompts would hardly show a difference."
    size = wording.change(judged[name]["value"], unit_of[name])
    return (
        f"Next: ask about {_round(needed):,} prompts, enough to see a difference in "
        f"{METRICS[name].title} of {size}, or train longer."
    )


def _round(number: int) -> int:
    """Round up to two digits."""
    unit = int(10 ** max(len(str(number)) - 2, 0))
    return -(-number // unit) * unit
