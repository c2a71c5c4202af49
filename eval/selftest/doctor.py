"""How often the doctor names a planted fault, and how often it errs over healthy comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.selftest.faults import FAULTS, Fault, kinds_for
from tuneproof.eval.selftest.healthy import comparison
from tuneproof.eval.selftest.kinds import KINDS
from tuneproof.finding import Finding
from tuneproof.text import table

SHARES = (0.01, 0.05, 0.2, 1.0)
"""Shares of the items in which a fault is planted."""
HEALTHY = 10
"""Comparisons with a fault for every healthy one of each kind."""
ITEMS = 200
"""Items of a comparison."""
BY_NATURE = frozenset(
    {"answers-loop", "not-stopping", "answers-cut", "too-few-items", "below-majority"}
)
"""Codes that made-up comparisons earn: their base loops, and some answers reach the limit."""


@dataclass(frozen=True, kw_only=True)
class Detected:
    """How often one fault was named."""

    fault: str
    codes: tuple[str, ...]
    found: tuple[float | None, ...]
    """Share of the draws in which it was named, for each of `SHARES`."""
    warned: tuple[float | None, ...]
    """Share of the draws in which that was a warning or an error, not a note."""
    draws: int


@dataclass(frozen=True, kw_only=True)
class Healthy:
    """What was found in comparisons in which nothing is wrong."""

    comparisons: int
    errors: Counter[str]
    """False errors, by kind and code."""
    warnings: Counter[str]
    notes: Counter[str]


def doctor_report(draws: int, seed: int) -> tuple[str, bool]:
    """Return what `score selftest --doctor` prints, and whether no healthy comparison has an error.

    Args:
        draws: Comparisons for every fault and share.
        seed: Seed of all that is drawn.
    """
    healthy = check_healthy(-(-draws // HEALTHY), seed)
    lines = list(detect(draws, seed))
    note = (
        f"{draws:,} comparisons of {ITEMS} items each; in brackets as a warning or an error, "
        "otherwise a note"
    )
    text = f"{detection_table(lines)}\n{note}\n\n{healthy_lines(healthy)}"
    return text, not healthy.errors


def detect(draws: int, seed: int, n: int = ITEMS) -> Iterator[Detected]:
    """Yield how often every fault is named.

    Args:
        draws: Comparisons for every fault and share; they are of all kinds in turn.
        seed: Seed of the comparisons and of what is spoiled.
        n: Items of each.
    """
    for name, fault in FAULTS.items():
        found: list[float | None] = []
        warned: list[float | None] = []
        for share in SHARES:
            if not fault.is_of_items and share < 1:
                found.append(None)
                warned.append(None)
                continue
            named = [_named(fault, share, draw, seed, n) for draw in range(draws)]
            found.append(sum(bool(codes_named) for codes_named in named) / draws)
            warned.append(
                sum(any(one.severity != "note" for one in codes_named) for codes_named in named)
                / draws
            )
        yield Detected(
            fault=name, codes=fault.codes, found=tuple(found), warned=tuple(warned), draws=draws
        )


def _named(fault: Fault, share: float, draw: int, seed: int, n: int) -> list[Finding]:
    """Return the findings that name a fault planted in one comparison."""
    kinds = kinds_for(fault)
    kind = kinds[draw % len(kinds)]
    rng = Random(f"{seed} {draw} {share}")
    healthy = comparison(KINDS[kind], n, rng.randrange(10**9))
    chosen = rng.sample(range(n), max(2, round(share * n)))
    return [
        one
        for one in check_comparison(fault.plant(healthy, chosen, rng))
        if one.code in fault.codes
    ]


def check_healthy(draws: int, seed: int, n: int = ITEMS) -> Healthy:
    """Return what is found in `draws` healthy comparisons of every kind."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("error", "warning", "note")}
    for name, kind in KINDS.items():
        for draw in range(draws):
            made = comparison(kind, n, Random(f"{seed} {name} {draw}").randrange(10**9))
            for one in check_comparison(made):
                if one.code not in BY_NATURE:
                    counts[one.severity][f"{name}: {one.code}"] += 1
    return Healthy(
        comparisons=draws * len(KINDS),
        errors=counts["error"],
        warnings=counts["warning"],
        notes=counts["note"],
    )


def detection_table(lines: list[Detected]) -> str:
    """Return a plain table: the share found, and the share found as more than a note."""
    heads = [f"{100 * share:g} %" for share in SHARES]
    rows = [("fault", *heads, "named")]
    for line in lines:
        cells = [
            "" if found is None or warned is None else f"{100 * found:.0f} ({100 * warned:.0f})"
            for found, warned in zip(line.found, line.warned, strict=True)
        ]
        rows.append((line.fault, *cells, ", ".join(line.codes)))
    return table(rows, left=(0, len(SHARES) + 1))


def healthy_lines(healthy: Healthy) -> str:
    """Return what was found in healthy comparisons, as text."""
    parts = []
    for title, counts in (("errors", healthy.errors), ("warnings", healthy.warnings)):
        listed = ", ".join(f"{name} ({count})" for name, count in counts.most_common())
        parts.append(f"{counts.total():,} false {title}{f': {listed}' if listed else ''}")
    return (
        f"{healthy.comparisons:,} healthy comparisons of {len(KINDS)} kinds: {'; '.join(parts)}; "
        f"{healthy.notes.total():,} notes"
    )
