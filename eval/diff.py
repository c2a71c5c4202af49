"""Two comparisons of the same items side by side: did B get better than A, variant by variant?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.eval.score import score
from tuneproof.eval.stats.bootstrap import Key
from tuneproof.eval.stats.estimates import Part, estimate_all, judge_parts
from tuneproof.eval.stats.primary import primary_of
from tuneproof.eval.stats.verdicts import Difference
from tuneproof.files import fingerprint, read_json
from tuneproof.formats.codec import has_schema
from tuneproof.formats.comparison import Comparison, Item
from tuneproof.formats.figures import Gain
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.report import SCHEMA, read_report, recorded_files, report_file
from tuneproof.formats.variant import Variant
from tuneproof.text import table

BEFORE, AFTER = "A", "B"
ONE_EACH = (
    "A and B are one checkpoint each: another seed of the same settings gives another.\n"
    "Whether the settings differ takes repeats of both, as `tune run --seeds 3` trains them."
)


@dataclass(frozen=True, kw_only=True)
class MetricDiff:
    """One metric of one variant in A and in B."""

    a: float
    b: float
    gain: Gain
    """B minus A, tested."""


@dataclass(frozen=True, kw_only=True)
class Diff:
    """All differences, judged as one family."""

    items: int
    length_units: dict[str, str]
    """By variant: tokens, or words where neither file counts its tokens."""
    gains: dict[str, dict[str, MetricDiff]]
    """By variant and metric."""
    tuned: tuple[str, ...] = ()
    """The variants that were made by training: each is one checkpoint in A and another in B."""


def diff(a: Path, b: Path, config: ReportConfig) -> Diff:
    """Compare the answers of every variant that A and B share, item by item.

    Args:
        a: A report.json, its folder, or a comparison file.
        b: The same; gains are B minus A.
        config: Settings of the statistics.

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
    parts: dict[str, Part] = {}
    primary, units = None, {}
    for name in shared:
        merged = _merged(name, pairs, before)
        scores = score(merged)
        units[name] = scores.length_unit
        parts[name] = estimate_all(merged, scores, config)
        primary = primary or primary_of(merged, scores, config)
    every = {name: (parts[name], name) for name in shared}
    judged = judge_parts(every, config, units[shared[0]], primary)
    gains: dict[str, dict[str, MetricDiff]] = {name: {} for name in shared}
    for metric in METRICS:
        for name in shared:
            if gain := judged.get(Difference("", name, metric)):
                known = parts[name].estimates
                first, second = (known[Key("metric", who, metric)] for who in (BEFORE, AFTER))
                gains[name][metric] = MetricDiff(a=first.value, b=second.value, gain=gain)
    tuned = tuple(name for name in shared if name in before.tuned)
    return Diff(items=len(pairs), length_units=units, gains=gains, tuned=tuned)


def diff_table(differences: Diff) -> str:
    """Return the differences as a plain table, one block per variant."""
    blocks = []
    for variant, metrics in differences.gains.items():
        rows = [["metric", "n", "A", "B", "B - A (interval)", "p", "verdict"]]
        for metric, row in metrics.items():
            unit = unit_of(metric, differences.length_units[variant])
            rows.append(
                [
                    METRICS[metric].title,
                    f"{row.gain.n:,}",
                    wording.amount(row.a, unit),
                    wording.amount(row.b, unit),
                    wording.bounded_change(row.gain, unit),
                    wording.p_value(row.gain.p_corrected),
                    "too few items differ" if row.gain.has_too_few_differing else row.gain.verdict,
                ]
            )
        items = wording.counted(differences.items, "item")
        checkpoint = ", this checkpoint" if variant in differences.tuned else ""
        blocks.append(f"{variant}{checkpoint}, {items}\n{table(rows, left=(0, 6))}")
    return "\n\n".join([*blocks, *([ONE_EACH] if differences.tuned else [])])


def _load(path: Path) -> Comparison:
    """Read a comparison file, or the files a report was made from."""
    if not path.is_dir() and not has_schema(read_json(path), SCHEMA):
        return read_comparisons([path])
    file = report_file(path)
    sources = []
    for source in read_report(file).sources:
        existing = recorded_files(source.file, file)
        same = next((p for p in existing if fingerprint(p) == source.sha256), None)
        if same is None:
            state = "has changed since" if existing else "is not there any more"
            raise InputError(
                f"{file}: its comparison file {source.file} {state}, and a report alone has no "
                "answers; give the comparison file itself, or run `score report` again"
            )
        sources.append(same)
    return read_comparisons(sources)


def _paired_items(
    a: Path, b: Path, before: Comparison, after: Comparison
) -> list[tuple[Item, Item]]:
    """Return the items of both in the order of A; InputError where they are not the same.

    Items without an id in common, as plain lists have none of their own, are paired in order.
    """
    if before.labels != after.labels:
        raise InputError(f"{a} and {b} have different label sets; they cannot be compared")
    first = {item.id: item for item in before.items}
    second = {item.id: item for item in after.items}
    if len(first) == len(second) and not first.keys() & second.keys():
        second = {
            one.id: replace(two, id=one.id, group=one.id if two.group == two.id else two.group)
            for one, two in zip(before.items, after.items, strict=True)
        }
    wrong = [f"{name!r} is only in {a}" for name in first if name not in second]
    wrong += [f"{name!r} is only in {b}" for name in second if name not in first]
    pairs = [(item, second[name]) for name, item in first.items() if name in second]
    keys = {"prompt": "instruction", "reference": "reference"} | {
        name: name for name in ("input", "group", "references", "executed")
    }
    for key, name in keys.items():
        wrong += [
            f"{key!r} of {one.id!r} is {getattr(one, name)!r:.60} in A, "
            f"{getattr(two, name)!r:.60} in B"
            for one, two in pairs
            if getattr(one, name) != getattr(two, name)
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
