"""The verdict in plain words, and the short table a command prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval import wording
from eval.metrics.registry import METRICS


def summarise(found: Mapping[str, Any], base: str) -> dict[str, dict[str, Any]]:
    """Return, for every tuned variant, a headline and its sentences sorted by verdict."""
    return {
        variant: {
            "headline": headline(variant, base, gains),
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


def certainty(report: Mapping[str, Any]) -> str:
    """Say what the intervals rest on, and what they cannot show."""
    settings, counts = report["settings"], report["counts"]
    percent = f"{100 * settings['confidence']:g} %"
    units = wording.counted(counts["items"], "item")
    if counts["groups"]:
        units += f" in {wording.counted(counts['groups'], 'group')}, drawn by whole groups"
    return (
        f"In brackets: {percent} intervals from {settings['resamples']:,} paired resamples of "
        f"{units}. A difference counts when its interval leaves out zero; of metrics that did not "
        f"really change, about {100 * (1 - settings['confidence']):g} in 100 will be called "
        "different by chance. ROUGE and token F1 measure nearly the same thing: read them as one "
        "piece of evidence. All of it holds for prompts like these, asked and decoded like this."
    )


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
        blocks.append(f"{_aligned(rows)}\n{report['summary'][variant]['headline']}")
    if not blocks:
        rows = [["metric", "n", base]]
        for name, cell in report["metrics"][base].items():
            value = wording.amount(cell["value"], unit_of(name, length_unit))
            rows.append([METRICS[name].title, f"{cell['n']:,}", value])
        blocks.append(f"{_aligned(rows)}\nOnly {base} answered: nothing to compare it with.")
    missing = [f"{METRICS[m].title}: {why}" for m, why in report["not_available"].items()]
    return "\n\n".join(blocks) + "".join(f"\nnot available: {line}" for line in missing)


def _aligned(rows: list[list[str]]) -> str:
    """Align the first and the last columns left, figures right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
