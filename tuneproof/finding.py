"""Findings of the checks: a mistake by name, its evidence, usual cause and remedy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
OF_BASE = (
    "a base that was never trained for this does so by nature; the tuned models are measured "
    "against it.",
    "nothing to mend, where the tuned models no longer do so",
)
"""What a fault of the base means, whatever it is, and what to do about it."""
QUOTED = 60
"""Characters of an answer or a record that a finding quotes."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What holds for every finding of a code."""

    severity: Severity
    """How bad it is, where the finding itself does not say otherwise."""
    usually: str
    """What it usually means, in one sentence."""
    mend: str
    """The command that mends it; words in braces are filled in by the finding."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One mistake in data, a run or a comparison."""

    code: str
    """Its name, such as ``eos-not-trained``; a key of a registry."""
    severity: Severity
    """``error``: no conclusion holds; ``warning``: look at it; ``note``: good to know."""
    evidence: str
    """What shows it: numbers, an id or a file, a short quote; one sentence."""
    usually: str
    """What it usually means."""
    mend: str
    """The command that mends it."""

    def lines(self) -> list[str]:
        """Return the finding for a terminal: one line, and two set in under it."""
        return [
            f"{self.severity}: {self.code}: {self.evidence}",
            f"    usually: {self.usually}",
            f"    try: {self.mend}",
        ]

    def as_row(self) -> dict[str, str]:
        """Return the finding as JSON holds it."""
        return dataclasses.asdict(self)


def finding(
    registry: Mapping[str, Advice],
    code: str,
    evidence: str,
    *,
    severity: Severity | None = None,
    of_base: bool = False,
    **words: object,
) -> Finding:
    """Return a finding of a registered code.

    Args:
        registry: Knows the code.
        code: Its name.
        evidence: What shows it.
        severity: Where it differs from the registered one.
        of_base: Whether it is in the base's own answers: then it is a note, with advice of its own.
        words: What stands in braces in the command that mends it.
    """
    advice = registry[code]
    usually, mend = OF_BASE if of_base else (advice.usually, advice.mend.format(**words))
    return Finding(
        code=code,
        severity="note" if of_base else severity or advice.severity,
        evidence=evidence,
        usually=usually,
        mend=mend,
    )


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, errors first, otherwise in their order."""
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))


def finding_lines(findings: Iterable[Finding], *, notes: bool = True) -> list[str]:
    """Return the lines of the findings; without `notes`, those of warnings and errors only."""
    return [
        line
        for one in worst_first(findings)
        if notes or one.severity != "note"
        for line in one.lines()
    ]


def quoted(text: str, most: int = QUOTED) -> str:
    """Return the beginning of a text in quotes, on one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= most else f"{line[: most - 4].rstrip()} ...")


def share(count: int, total: int) -> str:
    """Return ``7 of 10 (70 %)``."""
    return f"{count:,} of {total:,} ({100 * count / total:.3g} %)"
