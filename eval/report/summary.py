"""The verdict in plain words, and the short table a command prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.formats.comparison import Comparison

BASELINE_TITLES = {"tf-idf": "TF-IDF + logistic regression"}
"""What baselines are called in a sentence, where that is not their name."""
LOSES = " It does not beat every baseline."
"""What a headline goes on with, so that nobody reads "better than base" as "worth having"."""


def summarise(
    found: Mapping[str, Any], comparison: Comparison, confidence: float
) -> dict[str, dict[str, Any]]:
    """Return, for every tuned variant, headline, stand against the baselines, and sentences.

    The sentences are sorted by verdict; `baselines` is None where there are none.
    """
    beats = {
        variant: beats_all(variant, comparison.baselines, found, 1 - confidence)
        for variant in found["gains"]
    }
    return {
        variant: {
            "headline": headline(variant, comparison.base, gains)
            + (LOSES if beats[variant] is False else ""),
            "baselines": against_baselines(variant, comparison.baselines, found, 1 - confidence),
            "beats_all": beats[variant],
            **{
                verdict: [gain["sentence"] for gain in gains.values() if gain["verdict"] == verdict]
                for verdict in wording.VERDICTS
            },
        }
        for variant, gains in found["gains"].items()
    }


def headline(variant: str, base: str, gains: Mapping[str, Mapping[str, Any]]) -> str:
    """Say on how many of the metrics that have a direction a variant is better and worse."""
    judged = [gain["verdict"] for name, gain in gains.items() if METRICS[name].direction != "none"]
    better, worse = judged.count("better"), judged.count("worse")
    of = wording.counted(len(judged), "metric")
    if not better and not worse:
        return f"No measurable difference between {variant} and {base} on {of}."
    if not better:
        return f"{variant} is worse than {base} on {worse} of {of}, and better on none."
    return f"{variant} is better than {base} on {better} of {of}, and worse on {worse or 'none'}."


def against_baselines(
    variant: str, baselines: Sequence[str], found: Mapping[str, Any], alpha: float
) -> str | None:
    """Say which baselines a variant beats in accuracy, and how far it is from the others.

    To beat one, the interval of the difference must exclude zero and the p-value, corrected for
    the number of pairs, agree.
    """
    beaten, others = [], []
    for baseline in baselines:
        pair = pair_of(found["pairs"], variant, baseline)
        if pair is None:
            continue
        low, high, difference = pair["low"], pair["high"], pair["accuracy_difference"]
        share = wording.amount(found["metrics"][baseline]["accuracy"]["value"], "share")
        name = f"{BASELINE_TITLES.get(baseline, baseline)} ({share})"
        if wording.verdict(low, high, pair["p_holm"], alpha, "higher") == "better":
            beaten.append(name)
        else:
            size = f"{wording.change(difference, 'share')} ({wording.interval(low, high, 'share')})"
            others.append(f"{name}: difference {size}")
    beats = f"beats {wording.listed(beaten)}" if beaten else ""
    loses = f"does not beat {wording.listed(others)}" if others else ""
    parts = "; it ".join(filter(None, (beats, loses)))
    return f"{variant} {parts}" if parts else None


def beats_all(
    variant: str, baselines: Sequence[str], found: Mapping[str, Any], alpha: float
) -> bool | None:
    """Say whether a variant beats every baseline in accuracy; None where none can be compared."""
    pairs = [pair_of(found["pairs"], variant, baseline) for baseline in baselines]
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return None
    return all(
        wording.verdict(pair["low"], pair["high"], pair["p_holm"], alpha, "higher") == "better"
        for pair in known
    )


def pair_of(
    pairs: Sequence[Mapping[str, Any]], variant: str, other: str
) -> Mapping[str, Any] | None:
    """Return the comparison of a variant with another, seen from the variant."""
    for pair in pairs:
        if (pair["a"], pair["b"]) == (variant, other):
            return pair
        if (pair["a"], pair["b"]) == (other, variant):
            turned = {
                "a": variant,
                "b": other,
                "accuracy_difference": -pair["accuracy_difference"],
                "low": None if pair["high"] is None else -pair["high"],
                "high": None if pair["low"] is None else -pair["low"],
                "a_only": pair["b_only"],
                "b_only": pair["a_only"],
            }
            return {**pair, **turned}
    return None


def certainty(report: Mapping[str, Any]) -> str:
    """Say what the intervals rest on, and what they cannot show."""
    settings, counts = report["settings"], report["counts"]
    percent = f"{100 * settings['confidence']:g} %"
    units = wording.counted(counts["items"], "item")
    if counts["groups"]:
        units += f" in {wording.counted(counts['groups'], 'group')}, drawn by whole groups"
    same = "ROUGE and token F1 measure nearly the same thing"
    if report["labels"] is not None:
        same = "Accuracy, F1 and correlation are made from the same labels"
    return (
        f"In brackets: {percent} intervals from {settings['resamples']:,} paired resamples of "
        f"{units}. Better and worse are said only where the interval leaves out zero and the "
        "p-value of a paired permutation test, corrected for all verdicts of this report (Holm), "
        f"is below {1 - settings['confidence']:.2g}: where nothing changed, at most "
        f"{100 * (1 - settings['confidence']):.3g} in 100 reports say either even once. {same}: "
        "read them as one piece of evidence. All of it holds for prompts like these, asked and "
        "decoded like this."
    )


def nothing_to_compare(report: Mapping[str, Any]) -> str:
    """Say why a report has no gains."""
    if len(report["metrics"]) == 1:
        return f"Only {report['base']} answered: nothing to compare it with."
    return f"No tuned variant answered, only {wording.listed(list(report['metrics']))}."


def unit_of(metric: str, length_unit: str) -> str:
    """Return the unit in which a metric's values are shown."""
    return length_unit if metric == "length" else METRICS[metric].unit


def text_table(report: Mapping[str, Any]) -> str:
    """Return the figures as a plain table, one block per tuned variant, with the headlines."""
    base, length_unit = report["base"], report["length_unit"]
    blocks = []
    for variant, gains in report["gains"].items():
        percent = f"{100 * report['settings']['confidence']:g} %"
        rows = [["metric", "n", base, variant, f"gain ({percent} interval)", "verdict"]]
        for name, gain in gains.items():
            unit = unit_of(name, length_unit)
            values = [report["metrics"][who][name]["value"] for who in (base, variant)]
            rows.append(
                [
                    METRICS[name].title,
                    f"{gain['n']:,}",
                    *(wording.amount(value, unit) for value in values),
                    f"{wording.change(gain['value'], unit)} "
                    f"({wording.interval(gain['low'], gain['high'], unit)})",
                    gain["verdict"],
                ]
            )
        summary = report["summary"][variant]
        blocks.append(f"{aligned(rows)}\n{summary.get('paragraph', summary['headline'])}")
    if not blocks:
        everybody = list(report["metrics"])
        rows = [["metric", "n", *everybody]]
        for name, cell in report["metrics"][base].items():
            cells = [report["metrics"][who].get(name) for who in everybody]
            unit = unit_of(name, length_unit)
            shown = [wording.amount(cell["value"], unit) if cell else "" for cell in cells]
            rows.append([METRICS[name].title, f"{cell['n']:,}", *shown])
        blocks.append(f"{aligned(rows)}\n{nothing_to_compare(report)}")
    missing = [f"{METRICS[m].title}: {why}" for m, why in report["not_available"].items()]
    return "\n\n".join(blocks) + "".join(f"\nnot available: {line}" for line in missing)


def aligned(rows: list[list[str]]) -> str:
    """Align the first and the last columns left, figures right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column == 0 or head == "verdict" else cell.rjust(width)
            for column, (cell, width, head) in enumerate(zip(row, widths, rows[0], strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
