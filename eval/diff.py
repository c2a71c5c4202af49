"""Two comparisons of the same items side by side: did B get better than A, variant by variant?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.gate import REPORT_SCHEMA, read_report
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.eval.report.summary import aligned, unit_of
from tuneproof.eval.score import score
from tuneproof.eval.stats.estimates import figure_all
from tuneproof.eval.stats.verdicts import PairedTest, Place, judge
from tuneproof.files import fingerprint, read_json
from tuneproof.formats.comparison import Comparison, Item, Variant
from tuneproof.formats.comparison_file import read_comparisons

BEFORE, AFTER = "A", "B"


def diff(a: Path, b: Path, config: ReportConfig) -> dict[str, Any]:
    """Compare the answers of every variant that A and B share, item by item.

    Args:
        a: A report.json, its folder, or a comparison file.
        b: The same; gains are B minus A.
        config: Settings of the statistics.

    Returns:
        `items`, `variants` and ``gains[VARIANT][METRIC]`` as in report.json, with the values `a`
        and `b`; one Holm family over all of it.

    Raises:
        InputError: A file cannot be used, its sources are gone, or the items differ.
    """
    before, after = _load(a), _load(b)
    pairs = _paired_items(a, b, before, after)
    shared = [name for name in before.names if name in after.names]
    if not shared:
        raise InputError(
            f"{a} has {', '.join(before.names)} and {b} has {', '.join(after.names)}: no variant "
            "has the same name in both"
        )
    tested: dict[Place, PairedTest] = {}
    values: dict[str, dict[str, tuple[float, float]]] = {}
    unit = ""
    for name in shared:
        merged = _merged(name, pairs, before)
        scores = score(merged)
        unit = unit if unit == "tokens" else scores.length_unit
        part = figure_all(merged, scores, config)
        values[name] = {}
        for (kind, _, metric, *_), found in part.estimates.items():
            if kind == "gain":
                p = part.p_values["gain", AFTER, metric]
                tested["", name, metric] = PairedTest(estimate=found, p=p)
                ends = [part.estimates["metric", who, metric].value for who in (BEFORE, AFTER)]
                values[name][metric] = (ends[0], ends[1])
    judged = judge(tested, 1 - config.confidence, unit)
    gains: dict[str, dict[str, Any]] = {name: {} for name in shared}
    for metric in METRICS:
        for name in shared:
            if ("", name, metric) in judged:
                first, second = values[name][metric]
                gains[name][metric] = {"a": first, "b": second, **judged["", name, metric]}
    return {"items": len(pairs), "variants": shared, "length_unit": unit, "gains": gains}


def diff_table(found: Mapping[str, Any]) -> str:
    """Return the differences as a plain table, one block per variant."""
    blocks = []
    for variant, gains in found["gains"].items():
        rows = [["metric", "n", "A", "B", "B - A (interval)", "p (Holm)", "verdict"]]
        for metric, gain in gains.items():
            unit = unit_of(metric, found["length_unit"])
            rows.append(
                [
                    METRICS[metric].title,
                    f"{gain['n']:,}",
                    wording.amount(gain["a"], unit),
                    wording.amount(gain["b"], unit),
                    f"{wording.change(gain['value'], unit)} "
                    f"({wording.interval(gain['low'], gain['high'], unit)})",
                    wording.p_value(gain["p_holm"]),
                    gain["verdict"] if gain["warning"] is None else "too few items differ",
                ]
            )
        blocks.append(f"{variant}, {wording.counted(found['items'], 'item')}\n{aligned(rows)}")
    return "\n\n".join(blocks)


def _load(path: Path) -> Comparison:
    """Read a comparison file, or the files a report was made from."""
    if not path.is_dir():
        document = read_json(path)
        if not isinstance(document, dict) or document.get("schema") != REPORT_SCHEMA:
            return read_comparisons([path])
    file, report = read_report(path)
    sources = []
    for source in report["sources"]:
        named = Path(source["file"])
        places = [named, file.parent / named, file.parent / named.name]
        existing = [place for place in places if place.is_file()]
        found = next((p for p in existing if fingerprint(p) == source["sha256"]), None)
        if found is None:
            state = "has changed since" if existing else "is not there any more"
            raise InputError(
                f"{file}: its comparison file {named} {state}, and a report alone has no answers; "
                "give the comparison file itself, or run `score report` again"
            )
        sources.append(found)
    return read_comparisons(sources)


def _paired_items(
    a: Path, b: Path, before: Comparison, after: Comparison
) -> list[tuple[Item, Item]]:
    """Return the items of both in the order of A; InputError where they are not the same.

    Items without an id in common, as plain lists have none of their own, are paired in order.
    """
    if before.labels != after.labels:
        raise InputError(f"{a} and {b} have different label sets; they cannot be compared")
    answered = after.items
    if len(answered) == len(before.items) and not (
        {item.id for item in answered} & {item.id for item in before.items}
    ):
        answered = tuple(
            replace(item, id=other.id) for item, other in zip(answered, before.items, strict=True)
        )
    others = {item.id: item for item in answered}
    wrong = [f"{item.id!r} is only in {a}" for item in before.items if item.id not in others]
    known = {item.id for item in before.items}
    wrong += [f"{item.id!r} is only in {b}" for item in answered if item.id not in known]
    pairs = [(item, others[item.id]) for item in before.items if item.id in others]
    for key in ("prompt", "input", "reference", "group"):
        wrong += [
            f"{key!r} of {one.id!r} is {getattr(one, key)!r:.60} in A, {getattr(two, key)!r:.60} "
            "in B"
            for one, two in pairs
            if getattr(one, key) != getattr(two, key)
        ]
    if wrong:
        raise InputError(
            f"{a} and {b} were not asked the same: {len(wrong):,} differences in items, for "
            f"example {wrong[0]}; only the same items can be compared in pairs"
        )
    return pairs


def _merged(name: str, pairs: list[tuple[Item, Item]], before: Comparison) -> Comparison:
    """Return a comparison of one variant's answers in A and in B."""
    items = [
        replace(one, answers={BEFORE: one.answers[name], AFTER: two.answers[name]})
        for one, two in pairs
    ]
    return replace(
        before,
        variants=(Variant(name=BEFORE), Variant(name=AFTER)),
        items=tuple(items),
    )
